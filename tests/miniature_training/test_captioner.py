"""The losses of the captioner: the order of things, what is hidden, what is held out, what cells show."""

import pytest
import torch
from torch.nn import functional as F

from jsdpipe.miniature import data
from jsdpipe.miniature.grammar import COLORS, KINDS, parse
from jsdpipe.miniature.tracing import NOTHING
from jsdpipe.miniature_training import captioner
from jsdpipe.miniature_training.augmentation import zooms
from jsdpipe.miniature_training.captioner import labels
from jsdpipe.miniature_training.evaluation import evaluate_captioner
from jsdpipe.models.miniature_captioner import NO_THING, PATTERN, RELATION, SURROUNDING, Answers, framed

ALL_SEEN = torch.ones(len(KINDS), len(COLORS), dtype=torch.bool)


def pictures_of(*texts: str, visible: tuple[float, float] = (1.0, 1.0)) -> data.Pictures:
    """Black pictures of these descriptions."""
    n = len(texts)
    black = torch.zeros(n, 64, 64, dtype=torch.uint8)
    solid = torch.full((n, 32, 32), NOTHING, dtype=torch.uint8)
    angle = torch.zeros(n)
    described = [parse(text) for text in texts]
    return data.Pictures(
        black[..., None].expand(n, 64, 64, 3), black, black, described, solid, torch.tensor([visible] * n), angle, angle
    )


def random_answers(n: int) -> Answers:
    draw = torch.Generator().manual_seed(0)
    sizes = ((2, NO_THING + 1), (2, len(COLORS)), (2, len(PATTERN)), (len(SURROUNDING),), (len(RELATION),))
    return Answers(*(torch.randn(n, *size, generator=draw).requires_grad_() for size in sizes))


def loss(text: str, visible: tuple[float, float] = (1.0, 1.0), answers: Answers | None = None) -> torch.Tensor:
    answers = answers or random_answers(1)
    return captioner._loss(answers, labels(pictures_of(text, visible=visible)), ALL_SEEN)


def test_the_loss_is_the_cross_entropy_of_all_words():
    answers = random_answers(1)
    logs = [logits.detach().log_softmax(dim=-1)[0] for logits in answers]
    kind, color, pattern = KINDS.index("mug"), COLORS.index("black"), PATTERN.index("striped")
    expected = -logs[0][0, kind] - logs[1][0, color] - 0.5 * logs[2][0, pattern] - logs[0][1, NO_THING]
    expected += -logs[3][SURROUNDING.index("green grass")] - logs[4][0]
    torch.testing.assert_close(loss("a striped black mug on green grass").detach(), expected)


def test_only_things_side_by_side_have_no_order():
    assert loss("a red ball and a blue cube") == loss("a blue cube and a red ball")
    assert loss("a red table on a blue cube") != loss("a blue cube on a red table")


def test_what_is_hidden_is_not_asked_for():
    answers = random_answers(1)
    loss("a red ball on a blue cube", (1.0, 0.01), answers).backward()
    assert answers.kind.grad[0, 0].abs().sum() > 0
    assert answers.kind.grad[0, 1].abs().sum() == 0
    assert answers.color.grad[0, 1].abs().sum() == 0
    assert answers.relation.grad.abs().sum() == 0


def test_a_held_out_pair_is_never_wrong():
    seen = ALL_SEEN.clone()
    seen[KINDS.index("mug"), COLORS.index("purple")] = False
    for text, head, word in (
        ("a blue mug", "color", COLORS.index("purple")),
        ("a purple chair", "kind", KINDS.index("mug")),
    ):
        answers = random_answers(1)
        captioner._loss(answers, labels(pictures_of(text)), seen).backward()
        gradient = getattr(answers, head).grad[0, 0]
        assert gradient[word] == 0
        assert (gradient != 0).sum() == len(gradient) - 1


@pytest.fixture
def halves():
    """The left half shows solid 0, the lower right quarter solid 1."""
    solid = torch.full((1, 32, 32), NOTHING, dtype=torch.uint8)
    solid[:, :, :16], solid[:, 16:, 16:] = 0, 1
    return solid


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("a red ball and a blue cube", (KINDS.index("cube"), COLORS.index("blue"))),
        ("a red ball on yellow sand", (NO_THING + SURROUNDING.index("yellow sand"), captioner.UNNAMED)),
    ],
)
def test_cells_show_things_and_the_surrounding(halves, text, second):
    whole = torch.eye(3)[None, :2]
    cells = captioner._cells(halves, labels(pictures_of(text)), whole)[0]
    expected = torch.tensor([NO_THING, captioner.UNNAMED]).expand(8, 8, 2).clone()
    expected[:, :4] = torch.tensor([KINDS.index("ball"), COLORS.index("red")])
    expected[4:, 4:] = torch.tensor(second)
    assert torch.equal(cells, expected)


def test_two_frames_are_as_their_product():
    draw = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(4, 3, 5, 5, generator=draw), (64, 64), mode="bicubic")
    first, second = zooms(4, draw) / 2, zooms(4, draw) / 2
    twice = framed(framed(smooth, first), second)
    torch.testing.assert_close(framed(smooth, captioner._product(first, second)), twice, atol=5e-3, rtol=0)


def test_figures_count_what_can_be_seen_and_no_order_of_two_things():
    texts = ["a red ball", "a red ball on a wooden floor", "a red ball and a blue cube", "a red ball on a blue cube"]
    told = [
        "a striped red ball",
        "a blue ball on a wooden floor",
        "a blue cube and a red ball",
        "a blue cube and a red ball",
    ]

    def by_form(visible: tuple[float, float]) -> dict:
        return evaluate_captioner(lambda images: told[: len(images)], pictures_of(*texts, visible=visible), flat=True)

    found = {form: (f.kind, f.color, f.everything) for form, f in by_form((1.0, 0.2)).items()}
    assert found == {
        "single": (1, 1, 1),
        "surr": (1, 0, 0),
        "multi": (0.5, 0.5, 0.5),
        "and": (1, 1, 1),
        "on": (0, 0, 0),
    }
    assert set(by_form((1.0, 0.19))) == {"single"}
