"""What the last lines of a run say of its failures."""

import pytest
import tiny

from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.planning.outcome import LINES, failures


@pytest.fixture
def run(tmp_path):
    """A run of two methods by 30 prompts, one a shard, and one seed."""
    config = tiny.config(tmp_path, "".join(f"prompt {number}\n" for number in range(30)))
    config |= {"seeds": [0]}
    config["generation"]["shard_assets"] = 1
    return Run.of(resolve(config), tmp_path / "run")


def wrote(run, stage, reasons):
    """The manifests of a stage, whose assets fail where a reason is given for their number."""
    for number, shard in enumerate(run.shards()):
        ((prompt, seed),) = shard.assets()
        write_manifest(run, stage, shard, [asset_record(prompt, seed, reasons.get(number))], {})


def test_each_failure_counts_where_it_first_came_up(run):
    assert failures(run, "there") == []
    wrote(run, "generate", {3: "diverged"})
    wrote(run, "mesh", {3: "diverged", 40: "empty"})
    wrote(run, "alignment", {3: "diverged", 40: "empty", 41: "no grade", 42: "no grade"})
    first, *lines = failures(run, "there")
    assert first.startswith("4 of 60 ") and first.endswith(": 1 at generate, 1 at mesh, 2 at alignment")
    ids = [next(shard.assets())[0].id for shard in run.shards()]
    assert lines == [
        f"  generate jsd/single/{ids[3]}/seed0: diverged",
        f"  mesh sds/single/{ids[40]}/seed0: empty",
        f"  alignment sds/single/{ids[41]}/seed0: no grade",
        f"  alignment sds/single/{ids[42]}/seed0: no grade",
    ]


def test_a_long_list_is_cut_and_points_to_the_rest(run):
    wrote(run, "generate", dict.fromkeys(range(LINES + 5), "no such file"))
    first, *lines = failures(run, "there")
    assert first.startswith(f"{LINES + 5} of 60 ")
    assert len(lines) == LINES + 1
    assert " 5 " in lines[-1] and lines[-1].endswith(" there")


def test_none_failed(run):
    wrote(run, "generate", {})
    (line,) = failures(run, "there")
    assert line.startswith("none of 60 ")


def test_manifests_of_other_prompts_say_nothing(run):
    wrote(run, "generate", {0: "diverged"})
    for of_set in run.prompts:
        run.prompts[of_set] = run.prompts[of_set][:1:-1]
    assert failures(Run(run.folder, run.config, run.recipes, run.prompts), "there") == []
