"""The optimization of a batch of assets: each has its own parameters and draws, the prior's calls are shared."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe import objectives
from jsdpipe.base.progress import Advance
from jsdpipe.base.schedules import size_at
from jsdpipe.base.seeding import generator
from jsdpipe.config.plausibility import check_latents
from jsdpipe.config.recipe import Optimizer, Recipe
from jsdpipe.generation.balance import MEASURE_EVERY, Balance, regularizer_gradients
from jsdpipe.generation.outcome import NumericalHealth, Outcome
from jsdpipe.objectives.base import Progress
from jsdpipe.prior.guidance import PromptEmbeddings
from jsdpipe.prior.prior import Prior
from jsdpipe.scene.cameras import random_viewpoints
from jsdpipe.scene.registry import build
from jsdpipe.scene.regularizers import needs_normals
from jsdpipe.scene.scene import SceneBatch


@dataclass(frozen=True)
class Subject:
    """What an asset is made from: its prompt's text, and the key of its random draws."""

    text: str
    key: tuple[str | int, ...]


class Generators(dict[str, torch.Generator]):
    """One asset's random generators by purpose, each made when it is first asked for."""

    def __init__(self, key: tuple[str | int, ...]) -> None:
        super().__init__()
        self.key = key

    def __missing__(self, purpose: str) -> torch.Generator:
        self[purpose] = generator(*self.key, purpose)
        return self[purpose]


def optimize(
    subjects: Sequence[Subject], recipe: Recipe, prior: Prior, advance: Advance, steps: int | None = None
) -> list[Outcome]:
    """Optimize one scene for each subject, as the recipe says; `advance` is called after every step.

    With another number of `steps` than the recipe's, its schedules are read at the nominal step: where the recipe would
    be after the same part of its run.

    An asset whose gradient is not finite gets none in that step, and has failed if that persists. The others go on;
    when all have failed, the remaining steps are skipped. `UserError` if the scene renders latents other than
    the prior's.
    """
    check_latents(recipe, prior.name, prior.latent_shape)
    count, views, samples = len(subjects), recipe.views_per_step, recipe.cameras.samples_per_ray
    generators = [Generators(s.key) for s in subjects]
    item_draws, posterior_draws = (
        [generator(*s.key, purpose, view) for s in subjects for view in range(views)]
        for purpose in ("objective", "posterior")
    )
    batch = build(recipe.field, [g["field"] for g in generators]).to(prior.device)
    optimizer = build_optimizer(recipe.optimizer, batch)
    objective = objectives.build(recipe.objective)
    prompts = PromptEmbeddings(prior, [s.text for s in subjects], recipe.view_prompts, objective.negative_prompt)
    of_item = torch.arange(count).repeat_interleave(views)
    steps = recipe.steps if steps is None else steps
    outcomes = [Outcome(scene, NumericalHealth(steps)) for scene in batch.scenes()]
    balance = Balance(recipe.regularizers.share, count).to(prior.device)
    samples_before = prior.unet_samples

    for step in range(steps):
        nominal = step * recipe.steps // steps
        size, normals = size_at(recipe.cameras.size, nominal), needs_normals(recipe.regularizers, nominal)
        cameras = [random_viewpoints(recipe.cameras, views, g["cameras"], nominal) for g in generators]
        scenes = batch.scenes()
        renderings = [
            scene.render_training(camera, size, nominal, samples, draws, normals=normals)
            for scene, camera, draws in zip(scenes, cameras, generators, strict=True)
        ]
        images = torch.cat([r.rgb.view(views, size, size, -1) for r in renderings]).permute(0, 3, 1, 2)

        leaf = images.detach().requires_grad_()
        if recipe.field.latent_channels:
            z = leaf.contiguous()
        else:
            z = prior.encode(leaf, posterior_draws if recipe.posterior == "sample" else None)
        view = [torch.cat([getattr(c, name) for c in cameras]) for name in ("azimuth", "elevation", "distance")]
        guidance = prompts.guidance_for(of_item, *view)
        output = objective(z.detach(), guidance, Progress(nominal, recipe.steps), item_draws)
        terms = torch.stack(
            [
                scene.regularization(recipe.regularizers, nominal, rendering, views)
                for scene, rendering in zip(scenes, renderings, strict=True)
            ]
        )
        scale = recipe.objective_weight * (z[0].numel() if recipe.reduction == "sum" else 1)
        on_images = _pull_back(output.gradient * scale / views, z, leaf)
        fine = _finite(on_images, count) & _finite(output.loss, count) & terms.isfinite()
        on_images = torch.where(fine.repeat_interleave(views)[:, None, None, None], on_images, 0.0)
        optimizer.zero_grad()
        if terms.requires_grad:
            alone = regularizer_gradients(terms, batch) if step % MEASURE_EVERY == 0 else None
            torch.autograd.backward([images, terms], [on_images, balance.factor * fine])
            if alone:
                balance.measure(batch, alone, fine, nominal)
        else:  # no term has a weight in this step
            images.backward(on_images)
        fine &= _only_finite(batch.gradients())
        optimizer.step()

        numbers = {"loss": output.loss, **output.diagnostics}
        numbers = {name: value.view(count, views).float().mean(dim=1) for name, value in numbers.items()}
        numbers["regularizer_share"] = balance.measured
        numbers["opacity"] = torch.stack([r.opacity.detach().mean() for r in renderings])
        most = torch.stack([r.opacity.detach().max() for r in renderings])
        rows = {name: value.tolist() for name, value in numbers.items()}
        for i, (outcome, finite, opacity) in enumerate(zip(outcomes, fine.tolist(), most.tolist(), strict=True)):
            outcome.observe(step, finite, opacity)
            outcome.record(step, steps, {name: row[i] for name, row in rows.items()})
        advance()
        if all(outcome.reason for outcome in outcomes):
            advance(steps - step - 1)
            break
    for outcome, scene in zip(outcomes, batch.scenes(), strict=True):
        outcome.scene, outcome.steps = scene, step + 1
        outcome.unet_samples = round((prior.unet_samples - samples_before) / count)
    return outcomes


def build_optimizer(settings: Optimizer, batch: SceneBatch) -> torch.optim.Optimizer:
    """The optimizer of a batch's parameters, with the learning rates of its scenes."""
    kind, rest = settings.kind, settings.model_dump(exclude={"kind"})
    groups = batch.parameter_groups()
    if kind == "adamax":
        return torch.optim.Adamax(groups, **rest)
    return (torch.optim.Adam if kind == "adam" else torch.optim.AdamW)(groups, fused=True, **rest)


def _pull_back(gradient: Tensor, z: Tensor, images: Tensor) -> Tensor:
    """The gradient on the images, from one on their latents z; scaled to 1 on its way, for half precision."""
    peak = gradient.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)
    (on_images,) = torch.autograd.grad(z, images, gradient / peak)
    return on_images * peak


def _finite(x: Tensor, assets: int) -> Tensor:
    """Whether all numbers x (B, ...) of each asset's items are finite (A,)."""
    return x.isfinite().reshape(assets, -1).all(dim=1)


def _only_finite(gradients: list[list[Tensor]]) -> Tensor:
    """Whether all gradients of each asset are finite (A,); where not, all of the asset's become zero, in place."""
    fine = torch.stack([torch.stack([g.isfinite().all() for g in of_asset]).all() for of_asset in gradients])
    for good, of_asset in zip(fine.tolist(), gradients, strict=True):
        if not good:
            for gradient in of_asset:
                gradient.zero_()
    return fine
