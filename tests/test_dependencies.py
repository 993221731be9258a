"""Which stages' jobs take what from the configuration."""

import copy

import pytest
import tiny

from jsdpipe.config import load_config
from jsdpipe.dependencies import digest, model_files, source_files
from jsdpipe.layout import STAGES
from jsdpipe.prompts import Prompt
from jsdpipe.run import Run


def changed_digests(folder, change):
    """The (stage, method) whose digest of the first shard is another after `change(config)`."""
    before = tiny.config(folder)
    after = copy.deepcopy(before)
    change(after)
    one, other = (Run.resolve(load_config(config), folder) for config in (before, after))
    return {
        (stage, method)
        for stage in STAGES
        for method in ("jsd", "sds")
        if digest(one, stage, one.shard(f"{method}/single/000"))
        != digest(other, stage, other.shard(f"{method}/single/000"))
    }


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (lambda c: c.update(seed=1), {"generate", "alignment", "diversity"}),
        (lambda c: c.update(seeds=[0, 2]), {"generate"}),
        (lambda c: c["generation"].update(batch_assets=1), {"generate"}),
        (lambda c: c["generation"].update(shard_assets=3), set()),
        (lambda c: c["prior"].update(dtype="bfloat16"), {"generate"}),
        (lambda c: c["mesh"].update(threshold=3.0), {"mesh"}),
        (lambda c: c["render"]["diversity"].update(views=5), {"render"}),
        (lambda c: c["render"].update(renderer="moderngl"), {"render"}),
        (lambda c: c["render"].update(keep_views=True), set()),
        (lambda c: c["report"].update(turntable_views=5), {"render"}),
        (lambda c: c["report"].update(title="new"), set()),
        (lambda c: c.update(resources={"generate": {"gpu": 1}}), set()),
        (lambda c: c["methods"]["jsd"].update(label="J"), set()),
    ],
)
def test_a_change_touches_only_the_stages_that_take_it(tmp_path, change, stages):
    assert changed_digests(tmp_path, change) == {(stage, method) for stage in stages for method in ("jsd", "sds")}


def test_the_set_s_other_prompts_touch_what_is_ranked_among_them(tmp_path):
    config = tiny.config(tmp_path)
    one = Run.resolve(load_config(config), tmp_path)
    shard = one.shard("jsd/single/000")
    more = Run(one.folder, one.config, one.recipes, {"single": (*one.prompts["single"], Prompt("other-1", "other"))})
    assert digest(one, "alignment", shard) == digest(more, "alignment", shard)
    config["alignment"]["similarity"] = {"kind": "miniature-clip"}
    ranked = [Run(run.folder, load_config(config), run.recipes, run.prompts) for run in (one, more)]
    assert len({digest(run, "alignment", shard) for run in ranked}) == 2


@pytest.mark.parametrize(
    ("key", "value", "touched"),
    [("model", "b", True), ("base_url", "http://b/v1", True), ("max_calls", 9, False), ("timeout_s", 9.0, False),
     ("key_env", "KEY", False), ("cache", "elsewhere", False), ("retries", 9, False)],
)  # fmt: skip
def test_what_no_grade_depends_on_touches_nothing(tmp_path, key, value, touched):
    config = tiny.config(tmp_path)
    config["alignment"]["judge"] = {"kind": "openai", "base_url": "http://a/v1", "model": "a"}
    one = Run.resolve(load_config(config), tmp_path)
    config["alignment"]["judge"][key] = value
    other = Run.resolve(load_config(config), tmp_path)
    digests = [digest(run, "alignment", run.shard("jsd/single/000")) for run in (one, other)]
    assert (digests[0] != digests[1]) == touched


def test_a_recipe_touches_only_its_method(tmp_path):
    change = lambda c: c["methods"]["sds"]["override"].update(steps=3)  # noqa: E731
    assert changed_digests(tmp_path, change) == {("generate", "sds")}


def test_the_prompts_of_a_shard_touch_its_generation(tmp_path):
    run = Run.resolve(load_config(tiny.config(tmp_path)), tmp_path)
    shard = run.shard("jsd/single/000")
    run.prompts["single"] = (Prompt("other-1", "other"),)
    other = Run(run.folder, run.config, run.recipes, run.prompts).shard("jsd/single/000")
    assert digest(run, "generate", shard) != digest(run, "generate", other)
    assert digest(run, "mesh", shard) == digest(run, "mesh", other)


def test_the_files_of_models(tmp_path):
    config = tiny.config(tmp_path)
    run = Run.resolve(load_config(config), tmp_path)
    shard = run.shard("jsd/single/000")
    assert {path.parts[-2] for path in source_files(run, shard)} == {
        "unet", "vae", "text_encoder", "tokenizer", "scheduler",
    }  # fmt: skip
    assert any(path.suffix == ".safetensors" for path in model_files(run, "quality"))
    assert model_files(run, "mesh") == []
    config["prior"]["model"] = "owner/of-the-hub"
    assert source_files(Run.resolve(load_config(config), tmp_path), shard) == []
