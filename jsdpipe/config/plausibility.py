"""Warnings of valid settings that are probably mistakes. Torch-free, because the workflow asks while it plans."""

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

FAR = 8  # the ratio from which the sizes of renders and of the prior's images do not fit


def prior_size(model: str, revision: str | None) -> int | None:
    """Pixels per side of a prior's images; None if unknown, e.g. for a hub id that has not been downloaded.

    Raises `UserError` if the name is not valid for a prior.
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
    except UserError:  # broken files of a prior are reported where it is loaded
        return None
    size, blocks = unet.get("sample_size"), vae.get("block_out_channels", vae.get("encoder_block_out_channels"))
    return image_size(size, len(blocks)) if isinstance(size, int) and isinstance(blocks, list) else None


def misfit(recipe: Recipe, pixels: int | None) -> str | None:
    """A warning if a recipe's last render size differs from the prior's image size, else None.

    Renders are resized to the prior's images. Sizes that differ by a factor of `FAR` or more raise `UserError`, except
    for small renders of a kind of scene that usually has them, to save time.

    Args:
        recipe: the recipe.
        pixels: pixels per side of the prior's images; None if unknown.
    """
    size = size_at(recipe.cameras.size, recipe.steps - 1)
    if pixels is None or size == pixels:
        return None
    mismatch = f"the recipe renders {size} pixels per side, but the prior's images have {pixels}"
    enlarged = size < pixels
    if max(size, pixels) >= FAR * min(size, pixels) and not (enlarged and recipe.field.small_renders):
        raise UserError(f"{mismatch}; take a recipe and a prior that fit each other, or set cameras.size")
    return f"{mismatch}: renders are {'enlarged' if enlarged else 'reduced'}"


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
    """The warnings of a run, a line each; `recipes` are by method.

    Raises `UserError` if render and image sizes are too different (see `misfit`).
    """
    if config.prior is None:
        return []
    pixels, lines = prior_size(config.prior.model, config.prior.revision), []
    for name, recipe in recipes.items():
        with at(f"methods.{name}"):
            check_adapter_of(recipe, config.prior.model, config.prior.revision)
            if mismatch := misfit(recipe, pixels):
                lines.append(f"methods.{name}: {mismatch}")
    if recipes and not config.need("generate").gpu and (slow := half_precision_warning(config.prior.dtype)):
        lines.append(f"prior.dtype: {slow}")
    return lines
