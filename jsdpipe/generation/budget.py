"""Steps for a budget of U-Net samples; a sample is one latent in one forward pass of a U-Net."""

from jsdpipe.base.errors import UserError
from jsdpipe.config.recipe import Recipe
from jsdpipe.generation.unet_work import unet_work


def steps_within(samples: int, recipe: Recipe) -> int:
    """How many steps of a recipe take about so many U-Net samples an asset, at least 1; the same for every asset.

    `UserError` if the objective takes none.
    """
    work = unet_work(recipe)
    if not work.forward:
        raise UserError(
            f"generation.unet_samples: objective {recipe.objective.kind!r} takes no U-Net samples; remove the key"
        )
    return max(1, round(samples / work.forward))
