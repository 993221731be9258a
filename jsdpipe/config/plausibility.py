"""Warnings of valid settings that are probably mistakes. Torch-free, because the workflow asks while it plans."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jsdpipe.base.cpu import half_precision_warning
from jsdpipe.base.errors import UserError
from jsdpipe.base.schedules import size_at
from jsdpipe.base.validation import at
from jsdpipe.config.recipe import Recipe
from jsdpipe.model_files.facts import MOVED, PRIORS, PriorSizes
from jsdpipe.model_files.formats import PRIOR, UNET
from jsdpipe.model_files.pretrained import json_object
from jsdpipe.model_files.prior_family import check_adapter, image_size

if TYPE_CHECKING:
    from jsdpipe.config.run_config import RunConfig

FAR = 8  # the ratio from which the sizes of renders and of the prior's images do not fit


def prior_sizes(model: str, revision: str | None) -> PriorSizes | None:
    """The sizes of a prior's images and latents; None if unknown, e.g. for a hub id that has not been downloaded.

    Raises `UserError` if the name is not valid for a prior.
    """
    folder = PRIOR.local_folder(model, revision)
    if folder is None:
        if (facts := PRIORS.get(MOVED.get(model, model))) is not None:
            return facts.sizes
        folder = PRIOR.cached_folder(model, revision)
    if folder is None:
        return None
    try:
        unet, vae = (json_object(folder / part / "config.json") for part in ("unet", "vae"))
    except UserError:  # broken files of a prior are reported where it is loaded
        return None
    size, blocks = unet.get("sample_size"), vae.get("block_out_channels", vae.get("encoder_block_out_channels"))
    if not isinstance(size, int) or not isinstance(blocks, list):
        return None
    return PriorSizes(image_size(size, len(blocks)), (unet.get("in_channels", 4), size))


def misfit(recipe: Recipe, model: str, sizes: PriorSizes | None) -> str | None:
    """A warning if a recipe's last render size differs from the prior's image size, else None.

    Renders are resized to the prior's images. Sizes that differ by a factor of `FAR` or more raise `UserError`, except
    for small renders of a kind of scene that usually has them, to save time. A scene that renders latents must have the
    prior's size and channels.

    Args:
        recipe: the recipe.
        model: the prior's name.
        sizes: the prior's sizes; None if unknown.
    """
    if sizes is None:
        return None
    if recipe.field.latent_channels:
        check_latents(recipe, model, sizes.latents)
        return None
    size, pixels = size_at(recipe.cameras.size, recipe.steps - 1), sizes.pixels
    if size == pixels:
        return None
    mismatch = f"the recipe renders {size} pixels per side, but the prior's images have {pixels}"
    enlarged = size < pixels
    if max(size, pixels) >= FAR * min(size, pixels) and not (enlarged and recipe.field.small_renders):
        raise UserError(f"{mismatch}; take a recipe and a prior that fit each other, or set cameras.size")
    return f"{mismatch}: renders are {'enlarged' if enlarged else 'reduced'}"


def check_latents(recipe: Recipe, model: str, latents: tuple[int, int]) -> None:
    """Raise `UserError` if a recipe's scene renders latents, but not of a prior's channels and side."""
    own, (channels, side) = recipe.field.latent_channels, latents
    if not own:
        return
    if channels != own:
        raise UserError(
            f"field.kind: {recipe.field.kind} renders latents of {own} channels, but those of {model} have {channels}; "
            "take a prior of Stable Diffusion 1's or 2's family"
        )
    stated = recipe.cameras.size
    for size in [stated] if isinstance(stated, int) else [size for _, size in stated]:
        if size != side:
            raise UserError(f"cameras.size: {size} where the latents of {model} have {side} a side; set {side}")


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
    sizes, lines = prior_sizes(config.prior.model, config.prior.revision), []
    for name, recipe in recipes.items():
        with at(f"methods.{name}"):
            check_adapter_of(recipe, config.prior.model, config.prior.revision)
            if mismatch := misfit(recipe, config.prior.model, sizes):
                lines.append(f"methods.{name}: {mismatch}")
    if recipes and not config.need("generate").gpu and (slow := half_precision_warning(config.prior.dtype)):
        lines.append(f"prior.dtype: {slow}")
    return lines
