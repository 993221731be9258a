"""What the classifier is trained to say of pictures with several things."""

import torch
from test_captioner import pictures_of

from jsdpipe.miniature.grammar import COLORS, KINDS
from jsdpipe.miniature_training.captioner import labels
from jsdpipe.miniature_training.classifier import _targets


def test_the_things_that_are_shown_share_the_probability():
    told = labels(pictures_of("a red ball", "a red ball and a blue cube", "a red mug and a blue mug"))
    expected = torch.zeros(3, len(KINDS))
    ball, cube, mug = (KINDS.index(kind) for kind in ("ball", "cube", "mug"))
    expected[0, ball] = expected[2, mug] = 1
    expected[1, ball] = expected[1, cube] = 0.5
    torch.testing.assert_close(_targets(told.kind, told, len(KINDS)), expected)


def test_what_is_hidden_or_recolored_has_no_share():
    told = labels(pictures_of("a red ball and a blue cube", visible=(1.0, 0.01)))
    assert _targets(told.kind, told, len(KINDS))[0].nonzero().tolist() == [[KINDS.index("ball")]]
    told.color[:] = -1
    assert _targets(told.color, told, len(COLORS)).sum() == 0
