"""Variational score distillation (ProlificDreamer, arXiv 2305.16213, eq. 9 and 10)."""

import torch
from torch import Tensor, nn

from jsdpipe.base.optimizer_state import optimizer_tensors, restore_optimizer
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
from jsdpipe.objectives.settings import AdapterSettings, GuidanceScale, RandomRange

LOSS_SCALE = 2.0**10  # keeps the adapter's gradients above half precision's smallest numbers


@OBJECTIVES.register("vsd")
class VariationalScoreDistillation(Objective):
    """Gradient w (e_s(z_t) - e_phi(z_t, camera)), w = 1 - a_t; e_phi is a U-Net with an adapter.

    The adapter learns what the renders look like. Each asset has its own. After the gradient is taken, each step trains
    it once on the same latents, with other noise and another timestep, uniform over the whole schedule.
    """

    class Settings(AdapterSettings):
        guidance_scale: GuidanceScale
        t_range: RandomRange

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.adapter: nn.Module | None = None

    def compute(self, z: Tensor, guidance: Guidance, progress: Progress, generators: Generators) -> Output:
        s = self.settings
        adapter = self.adapter or self._take(guidance.new_adapter(generators))
        t = random_timestep(s.t_range, progress, guidance.timesteps, generators, z.device)
        a = guidance.alpha_bar(t)
        z_t = add_noise(z, randn_like(z, generators), a)
        e_s = guidance.predict_cfg(z_t, t, s.guidance_scale)
        with torch.no_grad():
            e_phi = guidance.predict_with_adapter(adapter, z_t, t, torch.ones_like(t, dtype=torch.bool))
        loss = self._train(z, guidance, generators)
        return Output.from_gradient(per_item(1 - a) * (e_s - e_phi), t=t, adapter=loss)

    def state_dict(self) -> dict[str, Tensor]:
        if self.adapter is None:
            return {}
        return {f"adapter.{k}": v for k, v in self.adapter.state_dict().items()} | optimizer_tensors(self.optimizer)

    def load_state_dict(self, state: dict[str, Tensor], guidance: Guidance, generators: Generators) -> None:
        if state:
            adapter = self._take(guidance.new_adapter(generators))
            adapter.load_state_dict(
                {k.removeprefix("adapter."): v for k, v in state.items() if k.startswith("adapter.")}
            )
            restore_optimizer(self.optimizer, state)

    def _take(self, adapter: nn.Module) -> nn.Module:
        self.adapter = adapter
        s = self.settings
        self.optimizer = torch.optim.AdamW(adapter.parameters(), s.adapter_lr, **s.adapter_optimizer.model_dump())
        return adapter

    def _train(self, z: Tensor, guidance: Guidance, generators: Generators) -> Tensor:
        """One step of the adapter; returns its loss (B,). Assets share no weight: each is trained by its own loss."""
        assert self.adapter is not None
        whole = (0.0, 1.0)
        t = random_timestep(whole, Progress(0, 1), guidance.timesteps, generators, z.device)
        noise = randn_like(z, generators)
        camera = rand(generators, z.device) >= self.settings.camera_dropout
        z_t = add_noise(z, noise, guidance.alpha_bar(t))
        predicted = guidance.predict_with_adapter(self.adapter, z_t, t, camera)
        loss = self.adapter_loss(predicted, noise, z_t, t, guidance)
        self.optimizer.zero_grad()
        (LOSS_SCALE * loss.sum()).backward()
        for parameter in self.adapter.parameters():
            if parameter.grad is not None:
                parameter.grad.div_(LOSS_SCALE).nan_to_num_(0.0, 0.0, 0.0)
        self.optimizer.step()
        return loss.detach()

    def adapter_loss(self, predicted: Tensor, noise: Tensor, z_t: Tensor, t: Tensor, guidance: Guidance) -> Tensor:
        """What the adapter minimizes (B,), given its prediction of the `noise` in z_t."""
        return self.distance(predicted, noise, guidance.alpha_bar(t))

    def distance(self, noise: Tensor, other: Tensor, a: Tensor) -> Tensor:
        """Mean squared distance (B,) of two noises found in the same z_t, or of the velocities that they stand for.

        Noise is sqrt(a) v + sqrt(1 - a) z_t, so velocities v differ by 1 / sqrt(a) times as much.
        """
        distance = (noise - other).square().mean((1, 2, 3))
        return distance / a if self.settings.adapter_loss == "velocity" else distance
