"""The optimisation of a batch of assets: each has its own parameters and draws, the prior's calls are shared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jsdpipe import objectives
from jsdpipe.base.progress import Advance
from jsdpipe.base.schedules import size_at
from jsdpipe.base.seeding import generator
from jsdpipe.config.recipe import Recipe
from jsdpipe.generation.cameras import draw
from jsdpipe.generation.painter import Painter
from jsdpipe.generation.troubles import NOT_FINITE, NOT_OPAQUE, Troubles
from jsdpipe.objectives.base import Progress
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import Prior
from jsdpipe.scene.assets import Asset, build
from jsdpipe.scene.regularization import regularise
from jsdpipe.scene.regularizers import OPAQUE

RECORDS = 50  # lines of an asset's history


@dataclass(frozen=True)
class Subject:
    """What an asset is made from: its prompt's text, and the key of its random draws."""

    text: str
    key: tuple[str | int, ...]


@dataclass
class Outcome:
    """An optimised asset, with numbers and troubles of its way there; `reason` says why it failed."""

    asset: Asset
    troubles: Troubles
    history: list[dict[str, float]] = field(default_factory=list)
    reason: str | None = None


def optimise(subjects: Sequence[Subject], recipe: Recipe, prior: Prior, advance: Advance) -> list[Outcome]:
    """Optimise one scene a subject, as the recipe says; `advance` is called after every step.

    An asset whose gradient is not finite gets none in that step; if its trouble persists, it fails. Others go on; when
    all have failed, the rest of the run is left out.
    """
    count, views = len(subjects), recipe.views_per_step
    camera_draws = [generator(*s.key, "cameras") for s in subjects]
    painters = [Painter(s.key, recipe) for s in subjects]
    item_draws, posterior_draws = (
        [generator(*s.key, purpose, view) for s in subjects for view in range(views)]
        for purpose in ("objective", "posterior")
    )
    fields = build(recipe.field, [generator(*s.key, "field") for s in subjects]).to(prior.device)
    optimiser = torch.optim.Adam(fields.parameter_groups(), betas=(0.9, 0.99), eps=1e-15, fused=True)
    objective = objectives.build(recipe.objective)
    prompts = PromptEmbeddings(prior, [s.text for s in subjects], recipe.view_prompts, objective.negative_prompt)
    of_item = torch.arange(count).repeat_interleave(views)
    outcomes = [Outcome(asset, Troubles(recipe.steps)) for asset in fields.volumes()]

    for step in range(recipe.steps):
        size = size_at(recipe.cameras.size, step)
        cameras = [draw(recipe.cameras, views, g) for g in camera_draws]
        assets: Sequence[Asset] = fields.volumes()
        renderings = [
            painter.paint(asset, camera, size, step)
            for painter, asset, camera in zip(painters, assets, cameras, strict=True)
        ]
        images = torch.cat([r.rgb.view(views, size, size, 3) for r in renderings]).permute(0, 3, 1, 2)

        leaf = images.detach().requires_grad_()
        z = prior.encode(leaf, posterior_draws if recipe.posterior == "sample" else None)
        view = [torch.cat([getattr(c, name) for c in cameras]) for name in ("azimuth", "elevation", "distance")]
        guidance = prompts.guidance_for(of_item, *view)
        output = objective(z.detach(), guidance, Progress(step, recipe.steps), item_draws)
        terms = torch.stack(
            [
                regularise(recipe.regularisers, step, rendering, asset, views)
                for rendering, asset in zip(renderings, assets, strict=True)
            ]
        )
        on_images = _pull_back(output.gradient / views, z, leaf)
        fine = _finite(on_images, count) & _finite(output.loss, count) & terms.isfinite()
        on_images = torch.where(fine.repeat_interleave(views)[:, None, None, None], on_images, 0.0)
        optimiser.zero_grad()
        torch.autograd.backward([images, terms], [on_images, fine.to(terms)])
        fine &= _only_finite(fields.gradients())
        optimiser.step()

        numbers = {"loss": output.loss, **output.diagnostics}
        numbers = {name: value.view(count, views).float().mean(dim=1) for name, value in numbers.items()}
        numbers["opacity"] = torch.stack([r.opacity.detach().mean() for r in renderings])
        most = torch.stack([r.opacity.detach().max() for r in renderings])
        _note_troubles(outcomes, step, fine.tolist(), most.tolist())
        _note(outcomes, step, recipe.steps, numbers)
        advance()
        if all(outcome.reason for outcome in outcomes):
            advance(recipe.steps - step - 1)
            break
    final: Sequence[Asset] = fields.volumes()
    for outcome, asset in zip(outcomes, final, strict=True):
        outcome.asset = asset
    return outcomes


def _pull_back(gradient: Tensor, z: Tensor, images: Tensor) -> Tensor:
    """The gradient on the images of one on their latents; scaled to 1 on its way, for the sake of half precision."""
    peak = gradient.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)
    (on_images,) = torch.autograd.grad(z, images, gradient / peak)
    return on_images * peak


def _finite(x: Tensor, assets: int) -> Tensor:
    """Of each asset (A,), whether all its items' numbers x (B, ...) are finite."""
    return x.isfinite().reshape(assets, -1).all(dim=1)


def _only_finite(gradients: list[list[Tensor]]) -> Tensor:
    """Whether all of an asset's gradients are finite (A,); those of the others become zero, in place."""
    fine = torch.stack([torch.stack([g.isfinite().all() for g in of_asset]).all() for of_asset in gradients])
    for good, of_asset in zip(fine.tolist(), gradients, strict=True):
        if not good:
            for gradient in of_asset:
                gradient.zero_()
    return fine


def _note_troubles(outcomes: list[Outcome], step: int, fine: list[bool], most_opaque: list[float]) -> None:
    """Count the troubles of a step, and end the assets whose trouble persists."""
    for outcome, good, opacity in zip(outcomes, fine, most_opaque, strict=True):
        reason = outcome.troubles.note(step, {NOT_FINITE: not good, NOT_OPAQUE: opacity < OPAQUE})
        outcome.reason = outcome.reason or reason


def _note(outcomes: list[Outcome], step: int, steps: int, numbers: dict[str, Tensor]) -> None:
    """Now and then add to the histories, of what is finite."""
    rows = {name: value.tolist() for name, value in numbers.items()}
    due = step % math.ceil(steps / RECORDS) == 0 or step + 1 == steps
    for asset, outcome in enumerate(outcomes):
        if outcome.reason is None and due:
            numbers_now = {name: row[asset] for name, row in rows.items() if math.isfinite(row[asset])}
            outcome.history.append({"step": step, **numbers_now})
