import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_device import DEVICE

from jsdpipe.scene import ray_samples
from jsdpipe.scene.kernels import compositing
from jsdpipe.scene.kernels.compositing import BLOCK
from jsdpipe.scene.ray_samples import Samples


def samples(counts, device):
    ray = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts, dtype=torch.long))
    return Samples(ray.to(device), torch.zeros(len(ray), device=device), len(counts), 1.0)


def composite(transmittance, accumulate, counts, channels, seed, device):
    """Transmittances, sums, and the gradients of both, by densities and values."""
    draw, s = torch.Generator().manual_seed(seed), samples(counts, device)
    density = (torch.rand(sum(counts), generator=draw) * 8 / BLOCK).to(device).requires_grad_()
    values = torch.randn(sum(counts), channels, generator=draw).to(device).requires_grad_()
    passed = transmittance(density, s)
    sums = accumulate(passed[:, None] * values, s)
    on_sums = torch.randn(sums.shape, generator=draw).to(device)
    return [x.detach().cpu() for x in (passed, sums, *torch.autograd.grad(sums, (density, values), on_sums))]


@settings(max_examples=10)
@given(
    st.lists(st.sampled_from([0, 1, 5, BLOCK, BLOCK + 1, 2 * BLOCK + 9]), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_light_sums_and_gradients_are_those_of_pytorch(counts, channels, seed):
    ours = composite(compositing.transmittance, compositing.accumulate, counts, channels, seed, DEVICE)
    expected = composite(ray_samples.transmittance, ray_samples.accumulate, counts, channels, seed, "cpu")
    for x, y in zip(ours, expected, strict=True):
        assert torch.allclose(x, y, rtol=1e-5, atol=2e-5)


def test_no_rays():
    s = samples([], DEVICE)
    assert compositing.transmittance(torch.empty(0, device=DEVICE), s).shape == (0,)
    assert compositing.accumulate(torch.empty(0, 3, device=DEVICE), s).shape == (0, 3)


def test_a_wall_leaves_small_depths_behind_it_exact():
    s = samples([4], DEVICE)
    depth = torch.tensor([1e-3, 1e6, 1e-3, 1e-3], device=DEVICE)
    found = compositing.transmittance(depth, s).cpu()
    assert torch.allclose(found, torch.tensor([1, 1 - 1e-3 + 5e-7, 0, 0]))


def test_gradients():
    s = samples([2, 0, 3], DEVICE)
    depth = torch.rand(5, dtype=torch.double, generator=torch.Generator().manual_seed(0)).to(DEVICE).requires_grad_()
    assert torch.autograd.gradcheck(lambda d: compositing.transmittance(d, s), depth, fast_mode=True)
