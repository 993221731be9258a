"""What in a run is right by itself and may still be a mistake. Torch-free, because the workflow asks while it plans."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jsdpipe.base.cpu import half_precision_warning
from jsdpipe.base.errors import UserError
from jsdpipe.base.schedules import size_at
from jsdpipe.base.validation import at
from jsdpipe.config.recipe import Recipe
from jsdpipe.model_files.facts import MOVED, PRIORS
from jsdpipe.model_files.formats import PRIOR, UNET
from jsdpipe.model_files.pretrained import json_object
from jsdpipe.model_files.prior_family import check_adapter, image_size

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig

FAR = 8  # from so many times on, the sizes of renders and images are too far apart


def prior_size(model: str, revision: str | None) -> int | None:
    """Pixels a side of a prior's images; None where that is not known, as of a hub id that is not here.

    `UserError` if there can be no such prior.
    """
    folder = PRIOR.local_folder(model, revision)
    if folder is None:
        if (facts := PRIORS.get(MOVED.get(model, model))) is not None:
            return facts.pixels
        folder = PRIOR.cached_folder(model, revision)
    if folder is None:
        return None
    try:
        unet, vae = (json_object(folder / part / "config.json") for part in ("unet", "vae"))
    except UserError:  # what is wrong with a prior's files is said where it is loaded
        return None
    size, blocks = unet.get("sample_size"), vae.get("block_out_channels", vae.get("encoder_block_out_channels"))
    return image_size(size, len(blocks)) if isinstance(size, int) and isinstance(blocks, list) else None


def misfit(recipe: Recipe, pixels: int | None) -> str | None:
    """What to say of a recipe's renders before a prior whose images have so many pixels a side; None if they fit.

    Renders are resized to the prior's images; it is their last size that counts. Sizes that are `FAR` apart are a
    `UserError`, except for small renders of a kind of scene for which they are usual, to save time.
    """
    size = size_at(recipe.cameras.size, recipe.steps - 1)
    if pixels is None or size == pixels:
        return None
    said = f"the recipe renders {size} pixels, and the prior's images have {pixels}"
    enlarged = size < pixels
    if max(size, pixels) >= FAR * min(size, pixels) and not (enlarged and recipe.field.small_renders):
        raise UserError(f"{said}; take a recipe and a prior that are made for each other, or set cameras.size")
    return f"{said}, to which they are {'enlarged' if enlarged else 'reduced'}"


def check_adapter_of(recipe: Recipe, model: str, revision: str | None) -> None:
    """Raise `UserError` if there can be no such model as the recipe's adapter sits on, or it does not fit the prior.

    Of the two, only folders on this machine are looked into.
    """
    if recipe.adapter is None:
        return
    with at("objective.adapter"):
        if folder := UNET.local_folder(recipe.adapter.model, recipe.adapter.revision):
            UNET.files(folder)
            if prior := PRIOR.local_folder(model, revision):
                check_adapter(folder, prior)


def warnings(config: "RunConfig", recipes: Mapping[str, Recipe]) -> list[str]:
    """What to say of a run with these recipes, by method, before it begins: a line each.

    `UserError` for what cannot be meant.
    """
    if config.prior is None:
        return []
    pixels, found = prior_size(config.prior.model, config.prior.revision), []
    for name, recipe in recipes.items():
        with at(f"methods.{name}"):
            check_adapter_of(recipe, config.prior.model, config.prior.revision)
            if said := misfit(recipe, pixels):
                found.append(f"methods.{name}: {said}")
    if recipes and not config.need("generate").gpu and (said := half_precision_warning(config.prior.dtype)):
        found.append(f"prior.dtype: {said}")
    return found
