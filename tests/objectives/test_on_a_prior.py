"""Every objective on a real, if tiny, latent diffusion model, in every precision."""

import pytest
import tiny_models
import torch
from test_objectives import ALL, NAMES, generators

from jsdpipe import objectives
from jsdpipe.config.recipes import load_recipe
from jsdpipe.objectives.base import Progress
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import load_prior

VIEWS = load_recipe("published/jsdlr").view_prompts  # with Perp-Neg


@pytest.fixture(scope="module", params=["float32", "float16", "bfloat16"])
def guidance(request, tmp_path_factory):
    prior = load_prior(
        str(tiny_models.diffusion(tmp_path_factory.mktemp("prior"))), dtype=getattr(torch, request.param)
    )
    prompts = PromptEmbeddings(prior, ["a ball", "a cube"], VIEWS, negative="ugly")
    return prompts.guidance_for(torch.tensor([0, 1]), torch.tensor([0.2, 2.0]), torch.zeros(2), torch.ones(2))


@pytest.mark.parametrize("settings", ALL, ids=NAMES)
def test_finite_at_both_ends_of_the_schedule_in_every_precision(guidance, settings):
    z = torch.randn(2, 4, tiny_models.LATENT, tiny_models.LATENT, generator=torch.Generator().manual_seed(0))
    for t in (0.0, 1.0):
        objective, draws = objectives.build(settings.model_copy(update={"t_range": (t, t)})), generators(2)
        for step in range(2):
            found = objective(z, guidance, Progress(step, 2), draws)
            assert found.gradient.dtype == found.loss.dtype == torch.float32
            assert found.gradient.shape == z.shape
            assert found.gradient.isfinite().all()
            assert found.loss.isfinite().all()
            assert all(v.shape == (2,) and v.isfinite().all() for v in found.diagnostics.values())
