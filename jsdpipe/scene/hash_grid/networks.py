"""Small multi-layer perceptrons."""

import math
from itertools import pairwise

import torch
from torch import nn


def network(
    inputs: int, hidden: int, layers: int, outputs: int, generator: torch.Generator | None = None
) -> nn.Sequential:
    """A perceptron without biases, (N, inputs) to (N, outputs): `layers` hidden layers of width `hidden`, with ReLU.

    Weights are uniform in +-1 / sqrt(inputs of their layer).
    """
    widths = [inputs, *[hidden] * layers, outputs]
    modules: list[nn.Module] = []
    for width, following in pairwise(widths):
        linear = nn.Linear(width, following, bias=False)
        bound = 1 / math.sqrt(width)
        nn.init.uniform_(linear.weight, -bound, bound, generator)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])
