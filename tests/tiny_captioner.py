"""A tiny random captioner of the miniature, in the format of the package's."""

from pathlib import Path

import torch

from jsdpipe.miniature_training import captioner
from jsdpipe.models.miniature_captioner import CaptionerConfig, CaptionerNetwork


def network() -> CaptionerNetwork:
    """The network; the seed is fixed, so two tiny networks are the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CaptionerNetwork(CaptionerConfig(channels=(4, 8, 8), hidden_size=16, num_hidden_layers=1)).eval()


def make_captioner(folder: Path) -> Path:
    """Write the network into `folder`."""
    captioner.save(network(), folder)
    return folder
