"""Which stages' jobs take what from the configuration."""

import copy

import pytest
import tiny
from priors_on_disk import fill

from jsdpipe.config.prompts import Prompt
from jsdpipe.config.run_config import resolve
from jsdpipe.config.scoring_models import weight_files
from jsdpipe.config.stages import SHARD_STAGES
from jsdpipe.model_files.formats import Format
from jsdpipe.pipeline.run import Run
from jsdpipe.planning import dependencies
from jsdpipe.planning.dependencies import Dependencies

NAMES = [stage.name for stage in SHARD_STAGES]


def changed_digests(folder, change):
    """The (stage, method) whose digest of the first shard is another after `change(config)`."""
    before = tiny.config(folder)
    after = copy.deepcopy(before)
    change(after)
    one, other = (digests(Run.of(resolve(config), folder)) for config in (before, after))
    return {key for key in one if one[key] != other[key]}


def digests(run):
    """Of each (stage, method), the digest of the first shard."""
    of = Dependencies(run)
    return {
        (stage, method): of.digest(stage, run.shard(f"{method}/single/000"))
        for stage in NAMES
        for method in ("jsd", "sds")
    }


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (lambda c: c.update(seed=1), {"generate", "alignment", "diversity", "truth"}),
        (lambda c: c.update(truth={"instances": 8}), {"truth"}),
        (lambda c: c.update(seeds=[0, 2]), {"generate"}),
        (lambda c: c["generation"].update(batch_assets=1), {"generate"}),
        (lambda c: c["generation"].update(unet_samples=100), {"generate"}),
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
    one = Run.of(resolve(config), tmp_path)
    shard = one.shard("jsd/single/000")
    more = Run(one.folder, one.config, one.recipes, {"single": (*one.prompts["single"], Prompt("other-1", "other"))})
    assert Dependencies(one).digest("alignment", shard) == Dependencies(more).digest("alignment", shard)
    config["alignment"]["similarity"] = {"kind": "miniature-clip"}
    ranked = [Run(run.folder, resolve(config).config, run.recipes, run.prompts) for run in (one, more)]
    assert len({Dependencies(run).digest("alignment", shard) for run in ranked}) == 2


@pytest.mark.parametrize(
    ("key", "value", "touched"),
    [("model", "b", True), ("base_url", "http://b/v1", True), ("max_calls", 9, False), ("timeout_s", 9.0, False),
     ("key_env", "KEY", False), ("cache", "elsewhere", False), ("retries", 9, False)],
)  # fmt: skip
def test_what_no_grade_depends_on_touches_nothing(tmp_path, key, value, touched):
    config = tiny.config(tmp_path)
    config["alignment"]["judge"] = {"kind": "openai", "base_url": "http://a/v1", "model": "a"}
    one = Run.of(resolve(config), tmp_path)
    config["alignment"]["judge"][key] = value
    other = Run.of(resolve(config), tmp_path)
    assert (digests(one)["alignment", "jsd"] != digests(other)["alignment", "jsd"]) == touched


def test_a_recipe_touches_only_its_method(tmp_path):
    change = lambda c: c["methods"]["sds"]["override"].update(steps=3)  # noqa: E731
    assert changed_digests(tmp_path, change) == {("generate", "sds")}


def test_the_prompts_of_a_shard_touch_its_generation(tmp_path):
    run = Run.of(resolve(tiny.config(tmp_path)), tmp_path)
    shard = run.shard("jsd/single/000")
    run.prompts["single"] = (Prompt("other-1", "other"),)
    other = Run(run.folder, run.config, run.recipes, run.prompts).shard("jsd/single/000")
    assert Dependencies(run).digest("generate", shard) != Dependencies(run).digest("generate", other)
    assert Dependencies(run).digest("mesh", shard) == Dependencies(run).digest("mesh", other)


def test_the_files_of_models(tmp_path):
    config = tiny.config(tmp_path)
    run = Run.of(resolve(config), tmp_path)
    assert {path.parts[-2] for path in run.config.methods["jsd"].shared_sources(run, "jsd")} == {
        "unet", "vae", "text_encoder", "tokenizer", "scheduler",
    }  # fmt: skip
    assert any(path.suffix == ".safetensors" for path in weight_files(run.config, "quality"))
    assert weight_files(run.config, "mesh") == []
    config["prior"]["model"] = "owner/of-the-hub"
    adapter = {"model": str(fill(tmp_path / "adapter"))}
    config["methods"]["vsd"] = {"recipe": "miniature/vsd", "override": {"objective": {"adapter": adapter}}}
    other = Run.of(resolve(config), tmp_path)
    assert other.config.methods["jsd"].shared_sources(other, "jsd") == []
    read = ("scheduler/scheduler_config.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors")
    assert other.config.methods["vsd"].shared_sources(other, "vsd") == [tmp_path / "adapter" / name for name in read]


def test_what_jobs_share_is_found_out_once(tmp_path, monkeypatch):
    """Of 2 methods by 20 prompts: a hash a method and stage, and one a shard that makes assets of its prompts."""
    config = tiny.config(tmp_path, "".join(f"prompt {number}\n" for number in range(20)))
    run = Run.of(resolve(config), tmp_path)
    hashed, looked_up = [], []
    monkeypatch.setattr(dependencies, "fingerprint", lambda *parts: hashed.append(parts) or str(len(hashed)))
    monkeypatch.setattr(Format, "files", lambda *_: looked_up.append(1) or [])
    of = Dependencies(run)
    for shard in run.shards():
        for stage in NAMES:
            of.digest(stage, shard)
    assert len(hashed) == 2 * len(NAMES) + 2 * 20
    assert len(looked_up) == 2 + 4  # the prior by method, and the scores' models
