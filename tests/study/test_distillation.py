"""The exact guide against numerical differentiation, and the registry's objectives on it."""

import pytest
import torch

from jsdpipe.objectives import OBJECTIVES
from jsdpipe.study.distillation import ExactGuidance, distill
from jsdpipe.study.experiments import GUIDANCE, objective_settings
from jsdpipe.study.generators import START
from jsdpipe.study.presentation import ROWS
from jsdpipe.study.targets import NEGATIVE, TARGETS, UNCONDITIONAL

TARGET = TARGETS["uneven"]
EXACT = ExactGuidance(TARGET.mixture)
T = torch.tensor([0, 20, 250, 500, 800, 999])
Z = torch.randn(6, 2, 1, 1, generator=torch.Generator().manual_seed(3)).double()
STEP = 1e-5


def slope(mixture, a):
    """The slope (N, 2) of the noised log-density at Z, by central differences."""
    x, shifts = Z.flatten(1), STEP * torch.eye(2).double()
    return torch.stack(
        [(mixture.log_density(x + s, a) - mixture.log_density(x - s, a)) / (2 * STEP) for s in shifts], 1
    )


@pytest.mark.parametrize(
    ("noise", "mixture"),
    [
        (EXACT.predict_text, TARGET.mixture),
        (EXACT.predict_null, UNCONDITIONAL),
        (lambda z, t: EXACT.predict_with_negative(z, t)[2], NEGATIVE),
    ],
    ids=["text", "null", "negative"],
)
def test_the_noise_is_the_noised_densitys_slope(noise, mixture):
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000).double().square()
    a = (1 - betas).cumprod(0)[T]
    assert torch.allclose(EXACT.alpha_bar(T).double(), a, rtol=1e-5)
    expected = -(1 - a).sqrt()[:, None] * slope(mixture, a)
    assert torch.allclose(noise(Z, T).flatten(1), expected, rtol=1e-4, atol=1e-6)


def test_before_the_first_timestep_the_noise_is_the_firsts():
    before, first = torch.tensor([-99, -1]), torch.tensor([0, 0])
    assert EXACT.alpha_bar(before).tolist() == pytest.approx([1 - 0.00085] * 2)
    assert torch.equal(EXACT.predict_text(Z[:2], before), EXACT.predict_text(Z[:2], first))


def test_guidance_and_its_parts():
    null, direction = EXACT.predict_null_and_direction(Z, T)
    assert torch.allclose(null + direction, EXACT.predict_text(Z, T))
    assert torch.allclose(EXACT.predict_cfg(Z, T, 1.0), EXACT.predict_text(Z, T))
    assert torch.allclose(EXACT.predict_cfg(Z, T, -2.0), null - 2 * direction)


def test_the_adapter_changes_nothing_until_it_is_trained():
    z, told = Z.float(), torch.ones(6, dtype=torch.bool)
    adapter = EXACT.new_adapter([torch.Generator().manual_seed(0)])
    same = EXACT.new_adapter([torch.Generator().manual_seed(0)])
    found = EXACT.predict_with_adapter(adapter, z, T, told)
    assert torch.equal(found, EXACT.predict_text(z, T))
    found.sum().backward()
    assert any(parameter.grad.abs().max() > 0 for parameter in adapter.parameters())
    assert all(torch.equal(one, other) for one, other in zip(adapter.parameters(), same.parameters(), strict=True))


@pytest.mark.parametrize("guidance", GUIDANCE)
def test_every_kind_of_the_registry_is_there_once(guidance):
    kinds = [each.kind for each in objective_settings(guidance, 100)]
    assert sorted(kinds) == OBJECTIVES.kinds()
    assert list(ROWS) == ["start", "sample", *kinds]


@pytest.mark.parametrize("kind", OBJECTIVES.kinds())
def test_every_objective_moves_the_particles_the_same_way_twice(kind):
    (one,) = (each for each in objective_settings("exact", 3) if each.kind == kind)
    first, second = (distill(one, TARGET, 3, 5, seed=4) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.isfinite(first).all()
    assert not torch.equal(first, distill(one, TARGET, 0, 5, seed=4))


def test_all_objectives_start_alike_around_the_middle():
    starts = [distill(each, TARGET, 0, 200, seed=4) for each in objective_settings("exact", 3)]
    assert all(torch.equal(starts[0], other) for other in starts)
    assert starts[0].std().item() == pytest.approx(START, rel=0.1)
