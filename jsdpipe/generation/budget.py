"""Steps for a budget of U-Net samples; a sample is one latent in one forward pass of a U-Net."""

import torch

from jsdpipe import objectives
from jsdpipe.base.errors import UserError
from jsdpipe.base.seeding import generator
from jsdpipe.config.recipe import Recipe
from jsdpipe.objectives.base import Progress
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import Prior

PROBES = 50  # steps over the run whose samples are counted


def steps_within(samples: int, recipe: Recipe, prior: Prior) -> int:
    """How many steps of a recipe take about so many U-Net samples an asset, at least 1; the same for every asset.

    The objective is tried at steps evenly spread over the recipe's run, on latents of zeros, and what it takes is
    counted. `UserError` if it takes none.
    """
    views, probes = recipe.views_per_step, min(PROBES, recipe.steps)
    objective = objectives.build(recipe.objective)
    prompts = PromptEmbeddings(prior, [""], recipe.view_prompts, objective.negative_prompt)
    angle = torch.zeros(views)
    guidance = prompts.guidance_for(torch.zeros(views, dtype=torch.long), angle, angle, torch.ones(views))
    channels, side = prior.latent_shape
    z = torch.zeros(views, channels, side, side, device=prior.device)
    draws = [generator("budget", view) for view in range(views)]
    before = prior.unet_samples
    for probe in range(probes):
        objective(z, guidance, Progress(int((probe + 0.5) * recipe.steps / probes), recipe.steps), draws)
    if (taken := prior.unet_samples - before) == 0:
        raise UserError(
            f"generation.unet_samples: objective {recipe.objective.kind!r} takes no U-Net samples; remove the key"
        )
    return max(1, round(samples * probes / taken))
