"""The bench of generation: both ways, what is made of their times, and its files."""

import json

import pytest
import tiny
import tiny_models
from PIL import Image

from jsdpipe.base.stopwatch import PARTS, REST
from jsdpipe.bench import chart
from jsdpipe.bench.generation import HERE, PLAIN, Costs, Speed, Way, _Measured, _speed
from jsdpipe.bench.roofline import Peak, unet_need
from jsdpipe.prior.prior import load_prior

EVEN = dict.fromkeys((*PARTS, REST), 1.0)


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load_prior(str(tiny_models.diffusion(tmp_path_factory.mktemp("prior"))))


def test_the_processes_of_a_way_are_put_together(prior):
    way = Way(HERE, processes=2, threads=1, assets=3, dtype="float32")
    parts = EVEN | {"U-Net": 5.0}
    found = [_Measured(10.0, 120, 10, parts, 7), _Measured(8.0, 120, 10, parts, 9)]
    peak = Peak(operations=1e9, bytes=1e30)
    speed = _speed(way, found, steps=20, others=1000, peak=peak, prior=prior)
    assert speed.steps == 2 * 3 * 20 / 10 and speed.samples == 24 and speed.samples_a_step == 2
    assert speed.memory == 9 and speed.parts["U-Net"] == 0.5 and sum(speed.parts.values()) == pytest.approx(1)
    operations = 240 * unet_need(prior, 1).operations
    assert speed.share_of_peak == pytest.approx((operations + 120 * 1000) / 10 / 1e9)
    assert speed.unet_gap == pytest.approx(0.5 * 10 / (operations / 1e9))


def test_an_objective_without_the_unet_has_no_gap(prior):
    way = Way(PLAIN, processes=1, threads=1, assets=1, dtype="float32")
    speed = _speed(way, [_Measured(1.0, 0, 0, EVEN, 1)], steps=2, others=50, peak=Peak(100, 1), prior=prior)
    assert speed.unet_gap is None and speed.share_of_peak == 1


def test_ratios_are_to_the_plain_way():
    def speed(name: str, steps: float) -> Speed:
        share = dict.fromkeys(EVEN, 1 / len(EVEN))
        return Speed(Way(name, 2, 1, 4, "float32"), steps, 26.4, 2.0, share, 3 << 29, 0.123, 1.25)

    costs = Costs(
        "a CPU", 2, "miniature", {"jsd": "1f"}, {"float32": Peak(1, 2)}, {"jsd": (speed(PLAIN, 4.0), speed(HERE, 10.0))}
    )
    head, plain, here = (dict(zip(costs.rows()[0], row, strict=True)) for row in costs.rows())
    assert set(head) >= {"ms a step", "ratio", *PARTS, REST}
    assert (plain["ms a step"], plain["ratio"]) == ("250.0", "1.00")
    assert (here["ms a step"], here["ratio"], here["memory"]) == ("100.0", "2.50", "1.50 GiB")
    assert len(chart.draw(costs).axes[0].patches) == 2 * (len(PARTS) + 1)


@pytest.mark.slow
def test_the_command_writes_numbers_and_a_figure(jsdpipe, tmp_path):
    content = tiny.config(tmp_path)
    (tmp_path / "tiny.json").write_text(json.dumps(content))
    status, out, _ = jsdpipe(
        "bench", "generate", tmp_path / "tiny.json", "--method", "sds", "--steps", 2, "--out", tmp_path / "bench"
    )
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["sds", PLAIN], ["sds", HERE]]
    found = json.loads((tmp_path / "bench/generate.json").read_text())["methods"]["sds"]
    for way in (PLAIN, HERE):
        assert found[way]["steps"] > 0 and found[way]["samples_a_step"] == 2
        assert sum(found[way]["parts"].values()) == pytest.approx(1)
    assert found[HERE]["way"]["assets"] == 2 and found[PLAIN]["way"]["assets"] == 1
    assert Image.open(tmp_path / "bench/generate.png").width > 1000


def test_a_method_that_is_not_there_is_named(jsdpipe, tmp_path):
    (tmp_path / "tiny.json").write_text(json.dumps(tiny.config(tmp_path)))
    status, _, err = jsdpipe("bench", "generate", tmp_path / "tiny.json", "--method", "dream")
    assert status == 2 and "dream" in err and "jsd, sds" in err
