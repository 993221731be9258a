"""What all of the study's runs share: how they start, and how they step."""

from collections.abc import Iterable

import torch
from torch import Tensor

LEARNING_RATE = 0.07
START = 0.5  # deviation, around the middle, of what a run starts from


def adam(parameters: Iterable[Tensor]) -> torch.optim.Adam:
    """The optimiser of the pipeline's scenes, at a rate that stays: its steps don't depend on a gradient's scale."""
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, betas=(0.9, 0.99), eps=1e-15)
