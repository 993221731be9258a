"""The training loop of the miniature's models: AdamW, linear decay, averaged weights, checkpoints.

Each step draws from a generator named by the step, so a resumed training continues as if it had never stopped.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from jsdpipe.base.device import has_bfloat16
from jsdpipe.base.files import atomic
from jsdpipe.base.optimizer_state import optimizer_tensors, restore_optimizer
from jsdpipe.base.progress import progress
from jsdpipe.base.seeding import generator

CHECKPOINT_EVERY = 500
AVERAGE = 0.999


def train(
    name: str,
    module: nn.Module,
    loss_of: Callable[[int, torch.Generator], Tensor],
    *,
    steps: int,
    lr: float,
    folder: Path,
    device: str,
    seed: int = 0,
    weight_decay: float = 0.01,
    warmup: int = 200,
) -> None:
    """Train `module` in place and leave it with its averaged weights.

    Args:
        name: of the checkpoint, `folder`/`name`.safetensors, from which training resumes if it exists.
        loss_of: maps a step and its generator to a scalar loss.
    """
    module.train()
    parameters = dict(module.named_parameters())
    optimizer = torch.optim.AdamW(parameters.values(), lr=lr, weight_decay=weight_decay, betas=(0.9, 0.99))
    average = {k: v.detach().clone() for k, v in parameters.items()}
    path = folder / f"{name}.safetensors"
    bfloat16 = has_bfloat16(device)
    first = _resume(path, module, optimizer, average) if path.exists() else 0
    with progress(f"training the {name}", steps, start=first) as advance:
        smooth = 0.0
        for step in range(first, steps):
            for group in optimizer.param_groups:
                group["lr"] = lr * min((step + 1) / warmup, 1 - step / steps)
            # on CPUs, plain attention has the faster backward pass
            with torch.autocast(device, torch.bfloat16, enabled=bfloat16), sdpa_kernel(SDPBackend.MATH):
                loss = loss_of(step, generator(seed, "miniature", name, step))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            keep = min(AVERAGE, (step + 1) / (step + 10))
            with torch.no_grad():
                torch._foreach_lerp_(list(average.values()), list(parameters.values()), 1 - keep)
            smooth = loss.item() if step == first else 0.98 * smooth + 0.02 * loss.item()
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
                _save(path, step + 1, module, optimizer, average)
            advance(1, f"loss {smooth:.4f}")
    with torch.no_grad():
        for key, value in parameters.items():
            value.copy_(average[key])
    module.eval()


def _save(
    path: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor]
) -> None:
    tensors = {f"module.{k}": v.detach().contiguous() for k, v in module.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.items()}
    tensors |= optimizer_tensors(optimizer)
    with atomic(path) as temporary:
        save_file(tensors | {"step": torch.tensor(step)}, temporary)


def _resume(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor]) -> int:
    tensors = load_file(path)
    module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k.startswith("module.")})
    for key, value in average.items():
        value.copy_(tensors[f"average.{key}"])
    restore_optimizer(optimizer, tensors)
    return int(tensors["step"])
