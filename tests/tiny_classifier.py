"""A tiny random classifier of the miniature's kinds, in the format of the package's."""

from pathlib import Path

import torch
from transformers import ResNetForImageClassification

from jsdpipe.miniature_training import classifier


def make_classifier(folder: Path) -> Path:
    """Write a network into `folder`; the seed is fixed, so two tiny networks are the same."""
    config = classifier.config()
    config.embedding_size, config.hidden_sizes, config.depths = 8, [8, 8, 8, 16], [1, 1, 1, 1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier.save(ResNetForImageClassification(config).eval(), folder)
    return folder
