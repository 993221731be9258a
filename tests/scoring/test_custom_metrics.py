"""The stage `metrics` on balls: values worked out by hand, what is kept, and every mistake of a plugin in one line."""

import numpy as np
import pytest
import scored_run

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import write_json
from jsdpipe.mesh.stage import extract
from jsdpipe.pipeline.manifests import asset_record, read_manifest, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.stage import render
from jsdpipe.scoring.custom_metrics import score

HEAD = """
from pathlib import Path
import numpy as np
from jsdpipe.metrics import Group, Metric, register

GROUP = Group("balls", "Balls", "Balls:")
"""
FAILED = [("a red ball", 2), ("a blue ball on a wooden floor", 1)]


def make(folder, body, *names, head=HEAD, more=(), **sections):
    """A rendered run without scores, whose metrics are a plugin's."""
    folder.mkdir(exist_ok=True)
    plugin = folder / "plugin.py"
    plugin.write_text(head + body)
    scores = dict.fromkeys(("quality", "alignment", "diversity"))
    run, shard = scored_run.make(
        folder / "run", **scores | {"plugins": [str(plugin), *more], "metrics": [*names], **sections}
    )
    extract(run, shard)
    render(run, shard)
    return run, shard, plugin


def values(run, shard, name):
    return {(r["prompt"], r["seed"]): r["values"][name] for r in read_manifest(run, "metrics", shard)}


def test_values_of_assets_and_of_prompts(tmp_path):
    run, shard, _ = make(
        tmp_path / "a",
        """
@register(Metric("letters", "Letters", "higher", ".1f", GROUP, "what it is", failed=-1.0))
def letters(asset):
    return np.float32(100 * asset.seed + len(asset.prompt))

@register(Metric("unknown", "Unknown", "lower", ".1f", GROUP, "what it is"))
def unknown(asset):
    return None if asset.seed else 3

@register(Metric("seeds", "Seeds", "higher", ".0f", GROUP, "what it is", per="prompt"))
def seeds(assets):
    return sum(10 ** asset.seed for asset in assets)
""",
        "seeds", "letters", "unknown",
    )  # fmt: skip
    score(run, shard)
    red, blue = scored_run.PROMPTS
    assert values(run, shard, "letters") == {
        (red, 0): 10, (red, 1): 110, (red, 2): -1, (blue, 0): 29, (blue, 1): -1, (blue, 2): 229,
    }  # fmt: skip
    assert values(run, shard, "unknown") == {
        (red, 0): 3, (red, 1): None, (red, 2): None, (blue, 0): 3, (blue, 1): None, (blue, 2): None,
    }  # fmt: skip
    records = read_manifest(run, "metrics", shard)
    assert {(r["prompt"], r["of_prompt"]["seeds"]) for r in records} == {(red, 11), (blue, 101)}
    assert [(r["prompt"], r["seed"]) for r in records if r["reason"]] == FAILED


def test_what_a_metric_sees(tmp_path):
    run, shard, _ = make(
        tmp_path / "a",
        """
@register(Metric("ring", "Ring", "higher", ".1f", GROUP, "what it is", needs=["views:diversity", "views:quality"]))
def ring(asset):
    around, above = asset.views("diversity"), asset.views("quality")
    assert around.shape == (5, 32, 32, 3) and around.dtype == np.uint8 and above.shape == (24, 32, 32, 3)
    return (around.max(axis=-1) > 0).mean()

@register(Metric("volume", "Volume", "higher", ".1f", GROUP, "what it is", needs=["mesh"]))
def volume(asset):
    return asset.mesh.volume

@register(Metric("reddest", "Red", "higher", ".1f", GROUP, "what it is", needs=["captions"]))
def reddest(asset):
    return np.mean(["red" in caption for caption in asset.captions])
""",
        "ring", "volume", "reddest",
        alignment={"captioner": {"kind": "miniature"}, "judge": {"kind": "attributes"}},
    )  # fmt: skip
    with pytest.raises(UserError, match=r"write it with `jsdpipe stage alignment"):
        score(run, shard)
    records = []
    for prompt, seed in shard.assets():
        records.append(asset_record(prompt, seed))
        folder = run.layout.asset(shard.key(prompt.id, seed))
        write_json(folder / "captions.json", {"captions": [prompt.text, "a thing"]})
    write_manifest(run, "alignment", shard, records, {})
    score(run, shard)
    assert {key: value for key, value in values(run, shard, "reddest").items() if key not in FAILED} == {
        (prompt, seed): 0.5 if "red" in prompt else 0 for prompt in scored_run.PROMPTS for seed in range(3)
        if (prompt, seed) not in FAILED
    }  # fmt: skip
    (volume,) = {value for key, value in values(run, shard, "volume").items() if key not in FAILED}
    assert volume == pytest.approx(4 / 3 * np.pi * scored_run.RADIUS**3, rel=0.05)
    assert all(0.05 < value < 0.8 for key, value in values(run, shard, "ring").items() if key not in FAILED)


COUNTED = """
@register(Metric({name!r}, "Counted", "higher", ".1f", GROUP, "what it is", per={per!r}))
def counted(of):
    with (Path(__file__).parent / {name!r}).open("a") as calls:
        calls.write(".")
    return {value}
"""


def test_what_is_computed_is_kept_until_its_own_file_changes(tmp_path):
    other = tmp_path / "other.py"
    other.write_text(HEAD + COUNTED.format(name="kept_b", per="prompt", value=2))
    body = COUNTED.format(name="kept_a", per="asset", value=1)
    run, shard, plugin = make(tmp_path / "a", body, "kept_a", "kept_b", more=[str(other)])

    def calls():
        score(Run.load(run.folder), shard)
        return [len(path.read_text()) for path in (plugin.with_name("kept_a"), other.with_name("kept_b"))]

    assert calls() == [4, 2]
    before = run.layout.manifest("metrics", shard).read_bytes()
    assert calls() == [4, 2] and run.layout.manifest("metrics", shard).read_bytes() == before
    other.write_text(other.read_text().replace("return 2", "return 3"))
    assert calls() == [4, 4]
    assert {record["of_prompt"]["kept_b"] for record in read_manifest(run, "metrics", shard)} == {3}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("is_nan", "float('nan')", "returns nan"),
        ("is_inf", "-np.inf", "returns -inf"),
        ("is_array", "np.ones(3)", "returns ndarray"),
        ("is_text", "'1.0'", "returns str"),
        ("is_broken", "1 / 0", "line 10: ZeroDivisionError: division by zero"),
        ("looks", "asset.views('quality')", "takes 'views:quality', which is not among its needs"),
        ("weighs", "asset.mesh.volume", "takes 'mesh'"),
    ],
)
def test_a_plugin_s_mistake_is_one_line_with_metric_file_and_asset(tmp_path, name, value, said):
    body = f"""
@register(Metric({name!r}, "Wrong", "higher", ".1f", GROUP, "what it is"))
def wrong(asset):
    return {value}
"""
    run, shard, plugin = make(tmp_path / "a", body, name)
    with pytest.raises(UserError) as error:
        score(run, shard)
    line = str(error.value)
    assert line.startswith(f"{plugin}: metric {name!r} of a-red-ball") and ", seed 0: " in line and "\n" not in line
    assert said in line
