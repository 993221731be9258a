"""Which class a prompt names."""

import pytest
from torchvision.models import Inception_V3_Weights

from jsdpipe.scoring.diversity import named_class


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a striped red mushroom on a wooden floor", "mushroom"),
        ("A Mushroom", "mushroom"),
        ("a mushroom and a mushroom", "mushroom"),
        ("a red ball and a blue cube", None),
        ("a marvellous thing", None),
        ("a towering thing, a carpet", None),  # whole words only
        ("a snow leopard", "snow leopard"),  # not a leopard
        ("a (c++) $(car)", "car"),
    ],
)
def test_named_class(prompt, expected):
    classes = ("ball", "car", "cube", "leopard", "mushroom", "snow leopard", "tower")
    assert named_class(prompt, classes) == (None if expected is None else classes.index(expected))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A yellow ceramic teapot with a bamboo handle", "teapot"),
        ("A pair of polka-dotted sneakers", None),
        ("a teapot on a desk", None),
        ("a construction crane", "crane"),  # not the bird, "crane bird"
        ("a red sports car, parked", "sports car"),
    ],
)
def test_named_class_of_imagenet(prompt, expected):
    classes = tuple(Inception_V3_Weights.IMAGENET1K_V1.meta["categories"])
    assert named_class(prompt, classes) == (None if expected is None else classes.index(expected))
