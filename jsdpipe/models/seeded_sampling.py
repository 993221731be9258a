"""Seeded sampling of a language model: each row of a batch draws from its own generator."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class RowGenerators(TorchFunctionMode):
    """A context in which `torch.multinomial` draws each row from that row's generator, on the CPU."""

    def __init__(self, generators: list[torch.Generator]) -> None:
        super().__init__()
        self.generators = generators

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.multinomial:
            return func(*args, **(kwargs or {}))
        probabilities, count = args[0], args[1] if len(args) > 1 else kwargs["num_samples"]
        rows = zip(probabilities.float().cpu(), self.generators, strict=True)
        drawn = [torch.multinomial(row, count, generator=own) for row, own in rows]
        return torch.stack(drawn).to(probabilities.device)
