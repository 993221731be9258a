"""Optimisers as flat tensors, for safetensors checkpoints."""

import torch
from torch import Tensor

PREFIX = "optimiser."


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, keys `optimiser.<parameter>.<name>`."""
    states = optimiser.state_dict()["state"]
    return {f"{PREFIX}{i}.{name}": v.contiguous() for i, state in states.items() for name, v in state.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load the entries of `tensors` that `optimiser_tensors` made; other entries are left alone."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(PREFIX):
            index, name = key.removeprefix(PREFIX).split(".")
            states.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
