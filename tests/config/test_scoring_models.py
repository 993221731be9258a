"""The scoring models that a configuration names, wherever they stand."""

import subprocess
import sys
from typing import Any

import pytest
import scored_run
import tiny
import tiny_clip

from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import Strict
from jsdpipe.config.prompts import Prompt
from jsdpipe.config.run_config import read_config
from jsdpipe.config.scoring_models import check_models, check_prompt, chosen, model_roots, weight_files
from jsdpipe.miniature import WEIGHTS
from jsdpipe.models.judges.attributes import AttributesJudge
from jsdpipe.models.rewards.imagereward import ImageReward
from jsdpipe.models.similarities.open_clip import OpenClipSimilarity
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.unfamiliar_prompts import check_prompts


class Section(Strict):
    model: Any


class Whole(Strict):
    name: str = "whole"
    metrics: dict[str, list[Section]]


@pytest.fixture
def whole(tmp_path):
    """A configuration of another form, with a model in a mapping and in a list."""
    folder = str(tiny_clip.make_clip(tmp_path / "clip"))
    models = {
        "a": OpenClipSimilarity.Settings(kind="open-clip", model=folder),
        "b": AttributesJudge.Settings(kind="attributes"),
    }
    return Whole(metrics={key: [Section(model=model)] for key, model in models.items()})


def test_models_are_found_by_their_keys_and_their_parts_too(tmp_path, whole):
    assert list(chosen(whole)) == ["metrics.a.0.model", "metrics.b.0.model"]
    config = tiny.config(tmp_path)
    config["quality"]["reward"] = {"kind": "imagereward", "model": "a/b"}
    found = chosen(read_config(config, "c"))
    assert list(found) == [
        "quality.reward", "quality.reward.tokenizer", "alignment.captioner", "alignment.judge", "diversity.classifier",
        "diversity.features",
    ]  # fmt: skip
    assert isinstance(found["quality.reward"], ImageReward.Settings)


def test_the_files_and_the_code_of_a_section(tmp_path, whole):
    assert model_roots(whole, "metrics") == [
        "jsdpipe.models.judges.attributes",
        "jsdpipe.models.similarities.open_clip",
    ]
    assert model_roots(whole, "metrics.b") == ["jsdpipe.models.judges.attributes"]
    assert model_roots(whole, "quality") == weight_files(whole, "quality") == []
    assert {path.parent for path in weight_files(whole, "metrics")} == {tmp_path / "clip"}
    config = read_config(tiny.config(tmp_path), "c")
    assert model_roots(config, "diversity") == [
        "jsdpipe.models.classifiers.miniature",
        "jsdpipe.models.features.miniature",
    ]
    assert {path.parent for path in weight_files(config, "diversity")} == {WEIGHTS / "classifier"}


def test_a_model_that_lacks_a_file_and_a_prompt_that_none_can_read_are_refused(tmp_path, whole):
    check_models(whole)
    check_prompt(whole, "a red ball")
    with pytest.raises(UserError, match="cannot read the prompt"):
        check_prompt(whole, "a zebra")
    (tmp_path / "clip/open_clip_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"^metrics\.a\.0\.model: .*open_clip_model\.safetensors is missing"):
        check_models(whole)


CHECK = """
import sys
from pathlib import Path
from jsdpipe.config.scoring_models import check_models
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.unfamiliar_prompts import check_prompts
run = Run.load(Path(sys.argv[1]))
check_models(run.config)
check_prompts(run)
assert 'torch' not in sys.modules
"""


def test_a_run_s_models_and_prompts_are_checked_without_torch(tmp_path):
    run, _ = scored_run.make(tmp_path / "run")
    subprocess.run([sys.executable, "-c", CHECK, run.folder], check=True)
    [(name, of_set)] = run.config.sets.items()
    prompts = (Prompt("a-ball", "a ball"), Prompt("a-fox", "a fox"))
    with pytest.raises(UserError, match=rf'^sets\.{name}\.file: {of_set.file}: line 2: .* cannot read .*"a fox"'):
        check_prompts(Run(run.folder, run.config, run.recipes, {name: prompts}))
