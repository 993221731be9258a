"""The optimization of a batch of assets: each has its own parameters and draws, the prior's calls are shared."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jsdpipe import objectives
from jsdpipe.base.device import ToHost, is_accelerator
from jsdpipe.base.progress import Advance
from jsdpipe.base.schedules import size_at
from jsdpipe.base.seeding import generator
from jsdpipe.base.stopwatch import part
from jsdpipe.config.plausibility import check_latents
from jsdpipe.config.recipe import Optimizer, Recipe
from jsdpipe.generation.balance import MEASURE_EVERY, Balance, regularizer_gradients
from jsdpipe.generation.outcome import NumericalHealth, Outcome
from jsdpipe.objectives.base import Progress, per_item
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


@dataclass(frozen=True)
class StepNumbers:
    """A step's numbers of each asset, by the names of those for the history, on their way to the host.

    After these come whether the gradient was finite, and the largest opacity. They are read in the next step, while the
    device has work.
    """

    step: int
    names: Sequence[str]
    numbers: ToHost

    def note(self, outcomes: Sequence[Outcome], steps: int) -> bool:
        """Tell the outcomes of assets; returns whether all have failed. `steps` is that of the run."""
        for outcome, of_asset in zip(outcomes, self.numbers.read().T.tolist(), strict=True):
            *numbers, finite, opacity = of_asset
            outcome.observe(self.step, bool(finite), opacity)
            outcome.record(self.step, steps, dict(zip(self.names, numbers, strict=True)))
        return all(outcome.reason for outcome in outcomes)


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
    last: StepNumbers | None = None  # of the step before

    for step in range(steps):
        nominal = step * recipe.steps // steps
        size, normals = size_at(recipe.cameras.size, nominal), needs_normals(recipe.regularizers, nominal)
        cameras = [random_viewpoints(recipe.cameras, views, g["cameras"], nominal) for g in generators]
        scenes = batch.scenes()
        with part("render"):
            renderings = batch.render_training(scenes, cameras, size, nominal, samples, generators, normals=normals)
        if last and last.note(outcomes, steps):
            advance(steps - step)
            break
        images = torch.cat([r.rgb.view(views, size, size, -1) for r in renderings]).permute(0, 3, 1, 2)

        leaf = images.detach().requires_grad_()
        if recipe.field.latent_channels:
            z = leaf.contiguous()
        else:
            with part("encode"):
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
        with part("backward"):
            on_images = _pull_back(output.gradient * scale / views, z, leaf)
        largest = torch.stack((_largest(on_images, count), _largest(output.loss, count), terms.detach()))
        fine = (largest.abs() < torch.inf).all(dim=0)
        on_images = torch.where(per_item(fine.repeat_interleave(views)), on_images, 0.0)
        optimizer.zero_grad()
        with part("backward"):
            if terms.requires_grad:
                alone = regularizer_gradients(terms, batch) if step % MEASURE_EVERY == 0 else None
                torch.autograd.backward([images, terms], [on_images, balance.factor * fine])
                if alone:
                    balance.measure(batch, alone, fine, nominal)
            else:  # no term has a weight in this step
                images.backward(on_images)
        fine &= _only_finite(batch.gradients())
        with part("optimizer"):
            optimizer.step()

        of_items = {"loss": output.loss, **output.diagnostics}
        means = torch.stack([x.float() for x in of_items.values()]).view(-1, count, views).mean(dim=2)
        opacity = torch.stack([r.opacity.detach() for r in renderings])
        of_assets = torch.stack((balance.measured, opacity.mean(dim=1), fine.float(), opacity.amax(dim=1)))
        names = (*of_items, "regularizer_share", "opacity")
        last = StepNumbers(step, names, ToHost(torch.cat((means, of_assets))))
        advance()
    else:
        assert last  # there are steps
        last.note(outcomes, steps)
    for outcome, scene in zip(outcomes, batch.scenes(), strict=True):
        outcome.scene, outcome.steps = scene, last.step + 1
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


def _largest(x: Tensor, assets: int) -> Tensor:
    """The largest size of the numbers x (B, ...) of each asset's items (A,); NaN if one is."""
    return torch.linalg.vector_norm(x.reshape(assets, -1), torch.inf, dim=1)


def _only_finite(gradients: list[list[Tensor]]) -> Tensor:
    """Whether all gradients of each asset are finite (A,); where not, all of the asset's become zero, in place."""
    largest = torch._foreach_norm([g for of_asset in gradients for g in of_asset], torch.inf)  # NaN if one number is
    fine = (torch.stack(largest).view(len(gradients), -1) < torch.inf).all(dim=1)
    broken = ~fine
    if is_accelerator(fine.device) or broken.any():  # on a CPU a look costs less than to write all gradients
        for bad, of_asset in zip(broken.unbind(), gradients, strict=True):
            for gradient in of_asset:
                gradient.masked_fill_(bad, 0.0)
    return fine
