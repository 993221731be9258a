"""Asynchronous score distillation (ScaleDreamer, arXiv 2407.02040, eq. 8)."""

from pydantic import Field
from torch import Tensor

from jsdpipe.base.fields import Factor
from jsdpipe.base.schedules import value_at
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.objectives.base import (
    Generators,
    Guidance,
    Objective,
    Output,
    Progress,
    add_noise,
    per_item,
    rand,
    randn_like,
    random_timestep,
)
from jsdpipe.objectives.settings import GuidanceScale, ObjectiveSettings, RandomRange


@OBJECTIVES.register("asd-asynchronous")
class AsynchronousScoreDistillation(Objective):
    """Gradient w (e_s(z_t, t) - e_text(z_t', t')), w = 1 - a_t, same eps, t' up to shift (t - t_min) after t.

    The prior at a later timestep t' takes the place of the adapter that VSD trains.
    """

    class Settings(ObjectiveSettings):
        guidance_scale: GuidanceScale
        t_range: RandomRange
        shift: Factor = Field(description="the later timestep is up to shift (t - t_min) later")

    settings: Settings

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        first = int(value_at(s.t_range[0], progress.step) * guidance.timesteps)
        noise = randn_like(z, generators)
        later = later_timestep(t, s.shift * (t - first), rand(generators, z.device), guidance.timesteps)
        a, a_later = guidance.alpha_bar(t), guidance.alpha_bar(later)
        e_s = guidance.predict_cfg(add_noise(z, noise, a), t, s.guidance_scale)
        e_later = guidance.predict_text(add_noise(z, noise, a_later), later)
        return Output.from_gradient(per_item(1 - a) * (e_s - e_later), t=t, later=later)


def later_timestep(t: Tensor, most: Tensor, u: Tensor, timesteps: int) -> Tensor:
    """t + floor(u min(most, timesteps - 1 - t)) with draws u (B,) from [0, 1), and at least 1; all are (B,)."""
    return (t + (most.minimum(timesteps - 1 - t) * u).long()).clamp(min=1)
