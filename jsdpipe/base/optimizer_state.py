"""The state of optimizers as flat tensors, for safetensors checkpoints."""

import torch
from torch import Tensor

PREFIX = "optimizer."


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state, with keys `optimizer.<parameter>.<name>`."""
    states = optimizer.state_dict()["state"]
    return {f"{PREFIX}{i}.{name}": v.contiguous() for i, state in states.items() for name, v in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load the entries of `tensors` that `optimizer_tensors` made; other entries are ignored."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(PREFIX):
            index, name = key.removeprefix(PREFIX).split(".")
            states.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
