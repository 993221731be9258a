"""Variational score distillation (ProlificDreamer, arXiv 2305.16213, eq. 9 and 10)."""

import torch
from torch import Tensor, nn

from jsdpipe.base.optimizer_state import optimiser_tensors, restore_optimiser
from jsdpipe.config.objectives import VSD
from jsdpipe.objectives.base import (
    Clock,
    Generators,
    Guide,
    Objective,
    Output,
    add_noise,
    rand,
    randn_like,
    random_timestep,
    residual,
    spread,
)

LOSS_SCALE = 2.0**10  # keeps the adapter's gradients above half precision's smallest numbers


class VariationalScoreDistillation(Objective):
    """Gradient w (e_s(z_t) - e_phi(z_t, camera)), w = 1 - a_t; e_phi, an adapter of the prior, learns the renders.

    Each asset has an adapter of its own. It is trained once a step, after the gradient is taken, on the same latents
    with noise and timesteps of its own (uniform over the whole schedule).
    """

    def __init__(self, settings: VSD) -> None:
        self.settings = settings
        self.adapter: nn.Module | None = None

    def __call__(self, z: Tensor, guide: Guide, clock: Clock, generators: Generators) -> Output:
        s = self.settings
        adapter = self.adapter or self._adopt(guide.adapter(generators))
        t = random_timestep(s.t_range, clock, guide.timesteps, generators, z.device)
        a = guide.alpha(t)
        z_t = add_noise(z, randn_like(z, generators), a)
        predicted = guide(z_t, t, s.guidance_scale)
        with torch.no_grad():
            rendered = guide.adapted(adapter, z_t, t, torch.ones_like(t, dtype=torch.bool))
        loss = self._train(z, guide, generators)
        return residual(spread(1 - a) * (predicted - rendered), t=t, adapter=loss)

    def state_dict(self) -> dict[str, Tensor]:
        if self.adapter is None:
            return {}
        return {f"adapter.{k}": v for k, v in self.adapter.state_dict().items()} | optimiser_tensors(self.optimiser)

    def load_state_dict(self, state: dict[str, Tensor], guide: Guide, generators: Generators) -> None:
        if state:
            adapter = self._adopt(guide.adapter(generators))
            adapter.load_state_dict(
                {k.removeprefix("adapter."): v for k, v in state.items() if k.startswith("adapter.")}
            )
            restore_optimiser(self.optimiser, state)

    def _adopt(self, adapter: nn.Module) -> nn.Module:
        self.adapter = adapter
        self.optimiser = torch.optim.AdamW(adapter.parameters(), lr=self.settings.adapter_lr)
        return adapter

    def _train(self, z: Tensor, guide: Guide, generators: Generators) -> Tensor:
        """One step of the adapter; returns its loss (B,). Assets share no weight, so the sum trains each by its own."""
        assert self.adapter is not None
        whole = (0.0, 1.0)
        t = random_timestep(whole, Clock(0, 1), guide.timesteps, generators, z.device)
        noise = randn_like(z, generators)
        camera = rand(generators, z.device) >= self.settings.camera_dropout
        z_t = add_noise(z, noise, guide.alpha(t))
        loss = self.adapter_loss(guide.adapted(self.adapter, z_t, t, camera), noise, z_t, t, guide)
        self.optimiser.zero_grad()
        (LOSS_SCALE * loss.sum()).backward()
        for parameter in self.adapter.parameters():
            if parameter.grad is not None:
                parameter.grad.div_(LOSS_SCALE).nan_to_num_(0.0, 0.0, 0.0)
        self.optimiser.step()
        return loss.detach()

    def adapter_loss(self, predicted: Tensor, noise: Tensor, z_t: Tensor, t: Tensor, guide: Guide) -> Tensor:
        """What the adapter minimises (B,), given its prediction of the `noise` in z_t."""
        return (predicted - noise).square().mean((1, 2, 3))
