import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.scene.ray_samples import Samples, _ExclusiveSum, accumulate, alpha, transmittance


def samples(counts, step=0.5):
    ray = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Samples(ray, step * (torch.arange(len(ray)) + 0.5), len(counts), step)


def test_light_on_its_way_by_hand():
    s = samples([2, 0, 3])
    density = torch.tensor([2.0, 4.0, 0.0, 1.0, 3.0])
    # optical depths 1, 2 | 0, 0.5, 1.5
    assert transmittance(density, s).tolist() == pytest.approx([1, math.exp(-1), 1, 1, math.exp(-0.5)])
    expected = [1 - math.exp(-x) for x in (1, 2, 0, 0.5, 1.5)]
    assert alpha(density, s).tolist() == pytest.approx(expected)


def test_sums_along_rays_by_hand():
    values = torch.tensor([[1.0, 10], [2, 20], [3, 30], [4, 40], [5, 50]])
    assert accumulate(values, samples([2, 0, 3])).tolist() == [[3, 30], [0, 0], [12, 120]]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 99))
def test_what_comes_before_is_what_a_loop_finds(counts, seed):
    values = np.random.default_rng(seed).random(sum(counts)).astype(np.float32)
    ends = np.cumsum(counts)
    parts = [values[e - c : e] for c, e in zip(counts, ends, strict=True)]
    expected = [float(part[:i].sum()) for part in parts for i in range(len(part))]
    found = _ExclusiveSum.apply(torch.from_numpy(values), torch.tensor(counts))
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_gradients():
    s = samples([2, 0, 3])
    density = torch.rand(5, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: accumulate((transmittance(d, s) * alpha(d, s))[:, None], s), density)


def test_many_rays_lose_no_precision():
    # a running sum in single precision would be off by 1e-3 here
    s = samples([100] * 3000, step=1.0)
    density = torch.full((300_000,), 0.7)
    assert transmittance(density, s)[-3:].tolist() == pytest.approx(
        [math.exp(-0.7 * i) for i in (97, 98, 99)], rel=1e-4
    )


def test_no_sample_at_all():
    s = samples([0, 0])
    empty = torch.empty(0, requires_grad=True)
    total = accumulate((transmittance(empty, s) * alpha(empty, s))[:, None], s)
    assert total.tolist() == [[0], [0]]
    total.sum().backward()


class TestNerfacc:
    """The parts of nerfacc that run on a CPU agree with ours."""

    def test_weights_of_rays_of_one_length(self):
        nerfacc = pytest.importorskip("nerfacc")
        s = samples([4, 4, 4])
        density = torch.rand(12, generator=torch.Generator().manual_seed(0)) * 5
        edges = (s.t.view(3, 4) - s.step / 2, s.t.view(3, 4) + s.step / 2)
        weights, light, _ = nerfacc.render_weight_from_density(*edges, density.view(3, 4))
        assert torch.allclose(light.flatten(), transmittance(density, s), atol=1e-6)
        assert torch.allclose(weights.flatten(), transmittance(density, s) * alpha(density, s), atol=1e-6)

    def test_sums_along_rays(self):
        nerfacc = pytest.importorskip("nerfacc")
        s, weights, values = samples([2, 0, 3]), torch.rand(5), torch.rand(5, 3)
        expected = nerfacc.accumulate_along_rays(weights, values, ray_indices=s.ray, n_rays=3)
        assert torch.allclose(accumulate(weights[:, None] * values, s), expected, atol=1e-6)
