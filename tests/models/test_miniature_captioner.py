"""The network of the miniature's captioner: what it looks at, and the sentences that its answers make."""

import numpy as np
import pytest
import tiny_captioner
import torch

from jsdpipe.miniature.grammar import COLORS, KINDS, SUPPORTS, Description, Thing, caption, parse
from jsdpipe.models.miniature_captioner import (
    NO_THING,
    PATTERN,
    RELATION,
    SURROUNDING,
    Answers,
    captions,
    described,
    framed,
    frames,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)


def test_frames_enclose_what_is_shown():
    images = torch.full((3, 3, 64, 64), 0.25)
    images[0, 1, 16:32, 40:60] = 0.9  # rows 16 to 32, columns 40 to 60
    images[1, 2, 30:32, 30:32] = 0.0
    affine = frames(images)
    # 20 pixels of 64, and a tenth more; the center at column 50, row 24
    torch.testing.assert_close(affine[0], torch.tensor([[0.34375, 0, 0.5625], [0, 0.34375, -0.25]]))
    torch.testing.assert_close(affine[1], torch.tensor([[0.25, 0, -0.03125], [0, 0.25, -0.03125]]))
    torch.testing.assert_close(affine[2], torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    shown = (framed(images, affine)[0, 1] > 0.5).float()
    assert float(shown.mean()) == pytest.approx(16 / 20 / 1.1**2, abs=0.04)


def test_single_bright_pixels_do_not_move_frames():
    images = torch.zeros(1, 3, 64, 64)
    images[:, :, 20:40, 20:40] = 1
    alone = frames(images)
    images[:, :, 3, 60] = 1
    torch.testing.assert_close(frames(images), alone)


def answers_of(description: Description, sure: float = 9.0) -> Answers:
    """Logits that name a description."""
    kind, color, pattern = torch.zeros(1, 2, NO_THING + 1), torch.zeros(1, 2, len(COLORS)), torch.zeros(1, 2, 3)
    surrounding, relation = torch.zeros(1, len(SURROUNDING)), torch.zeros(1, len(RELATION))
    kind[0, 1, NO_THING] = sure
    for i, thing in enumerate(description.things):
        kind[0, i] = 0
        kind[0, i, KINDS.index(thing.kind)] = sure
        color[0, i, COLORS.index(thing.color)] = sure
        pattern[0, i, PATTERN.index(thing.pattern)] = sure
    surrounding[0, SURROUNDING.index(description.surrounding)] = sure
    relation[0, RELATION.index(description.relation)] = sure
    return Answers(kind, color, pattern, surrounding, relation)


@pytest.mark.parametrize(
    "text",
    [
        "a red ball",
        "a striped black mug on green grass",
        "a white duck on a red cube",
        "a spotted pink umbrella and an orange table",
    ],
)
def test_answers_become_their_sentence(text):
    assert [caption(d) for d in described(answers_of(parse(text)))] == [text]


def test_of_contradicting_answers_the_most_probable_sentence_is_made():
    pair = Description((Thing("duck", "white"), Thing("ball", "red")), "and")
    answers = answers_of(pair)
    answers.relation[0, RELATION.index("on")] = 9.5  # nothing stands on a ball
    assert described(answers) == [pair]
    answers.relation[0, RELATION.index("on")] = 99.0
    (forced,) = described(answers)
    assert forced.relation == "on" and forced.things[1].kind in SUPPORTS
    answers.surrounding[0, SURROUNDING.index("yellow sand")] = 199.0  # which carries one thing
    assert described(answers) == [Description(pair.things[:1], None, "yellow sand")]


def test_captions_are_sentences_whatever_the_batch_and_the_size(tmp_path, monkeypatch):
    network = tiny_captioner.network()
    told = captions(network, IMAGES)
    assert [caption(parse(text)) for text in told] == told
    monkeypatch.setattr("jsdpipe.models.miniature_captioner.BATCH", 2)
    assert captions(network, IMAGES) == told
    assert len(captions(network, IMAGES.repeat(2, axis=1).repeat(2, axis=2))) == 5
