"""T3Bench's configuration with all its adapters, over tiny random models: offline, from prompts to the report."""

import json
from pathlib import Path

import pytest
import tiny
import tiny_clip
import tiny_imagereward
import tiny_language
import tiny_models
import tiny_vision
import torch
from test_plans import ROOT, STAGES, snakemake

from jsdpipe.base.validation import read_yaml
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.scoring.assets import PROTOCOL_VERSION

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The finished run: JSD's first steps on two prompts with two seeds."""
    folder = tmp_path_factory.mktemp("paper")
    (folder / "prompts.txt").write_text("a red ball\na blue mushroom on the floor\n")
    inception = folder / "inception.pth"
    torch.save(tiny_vision.inception().state_dict(), inception)
    words = tiny_imagereward.make_vocabulary(folder / "imagereward")
    config = read_yaml(ROOT / "workflow/experiments/t3bench.yaml")
    of = {section: config[section] for section in ("quality", "alignment", "diversity")}
    models = {
        "prior": (config["prior"], tiny_models.stable_diffusion(folder / "prior")),
        "reward": (of["quality"]["reward"], tiny_imagereward.make_imagereward(folder / "imagereward")),
        "captioner": (of["alignment"]["captioner"], tiny_language.blip2(folder / "captioner")),
        "judge": (of["alignment"]["judge"], tiny_language.chat(folder / "judge")),
        "similarity": (of["alignment"]["similarity"], tiny_clip.make_clip(folder / "clip")),
        "features": (of["diversity"]["features"], tiny_vision.vit(folder / "dino")),
    }
    for settings, path in models.values():
        settings["model"] = str(path)
    of["quality"]["reward"]["tokenizer"] = {"model": str(words)}
    of["diversity"]["classifier"]["weights"] = str(inception)
    config |= {
        "seeds": [0, 1],
        "sets": {"single": {"file": str(folder / "prompts.txt")}},
        "methods": {"jsdlr": config["methods"]["jsdlr"] | {"override": {**tiny.HASH_GRID, "steps": 2}}},
        "generation": config["generation"] | {"batch_assets": 4, "preview_views": 2},
        # two steps make haze, and a CPU has no hours
        "mesh": config["mesh"] | {"resolution": 24, "threshold": "auto"},
        "render": config["render"] | {"size": 64, "diversity": config["render"]["diversity"] | {"views": 6}},
        "study": None,
    }
    config["prior"]["dtype"] = "float32"
    config["resources"] = {stage: {**need, "gpu": 0, "threads": 1} for stage, need in config["resources"].items()}
    (folder / "paper.yaml").write_text(json.dumps(config))
    done = snakemake(folder, "--cores", "2", "--configfile", "paper.yaml")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return Run.load(folder / "results/t3bench")


def test_every_asset_has_every_score(run):
    [shard] = run.shards()
    for stage in STAGES:
        for record in read_manifest(run, stage, shard):
            assert stage == "diversity" or record["status"] == "ok", record
    quality, alignment, diversity = (
        read_manifest(run, stage, shard) for stage in ("quality", "alignment", "diversity")
    )
    assert len({record["quality"] for record in quality}) == 4
    for record in alignment:
        assert record["grade"] in (1, 2, 3, 4, 5)
        assert 0 <= record["similarity"] <= 100
        assert 0 <= record["r_precision"] <= 1
    for record in diversity:
        assert record["iq"] <= record["iv"] <= 6.91  # ln 1000
        assert record["cosine"] <= 1


def test_the_views_are_the_protocol_s(run):
    """162 vertices by 5 fields of view, 12 captions."""
    [shard] = run.shards()
    prompt, seed = next(iter(shard.assets()))
    folder = run.layout.asset(shard.key(prompt.id, seed))
    quality, alignment, diversity = (
        json.loads((folder / f"{stage}.json").read_text()) for stage in ("quality", "alignment", "diversity")
    )
    assert [len(quality["views"]["reward"]), *set(map(len, quality["views"]["reward"]))] == [162, 5]
    assert len(alignment["views"]["captions"]) == 12
    assert len(diversity["views"]["class"]) == 6
    assert {score["protocol_version"] for score in (quality, alignment, diversity)} == {PROTOCOL_VERSION}


def test_the_manifests_name_every_model(run):
    [shard] = run.shards()
    named = {}
    for stage in ("quality", "alignment", "diversity"):
        manifest = json.loads(Path(run.layout.manifest(stage, shard)).read_text())
        named |= manifest["provenance"]["models"]
    assert set(named) == {"reward", "captioner", "judge", "similarity", "classifier", "features"}
    assert all("sha256:" in identity for identity in named.values()), named


def test_the_report_is_there(run):
    page = (run.layout.report / "index.html").read_text()
    assert "R-precision" in page
    assert "none failed" in page
