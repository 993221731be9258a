"""DiverseDream's numbers against scipy and hand-worked cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as scipy_entropy

from jsdpipe.scoring.diversity import cosine, iq, iv, named_class

SHAPES = st.tuples(st.integers(2, 4), st.integers(1, 5), st.integers(2, 7))
LOGITS = arrays(np.float64, SHAPES, elements=st.floats(-40, 40))


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


@given(LOGITS)
def test_iq_and_iv_are_scipy_s_entropies(logits):
    p = _softmax(logits)
    rows = p.reshape(-1, p.shape[-1])
    assert iq(p) == pytest.approx(np.mean([scipy_entropy(row) for row in rows]), abs=1e-9)
    assert iv(p) == pytest.approx(scipy_entropy(rows.mean(axis=0)), abs=1e-9)


@given(LOGITS)
def test_iv_lies_between_iq_and_log_of_the_classes(logits):
    p = _softmax(logits)
    assert -1e-12 <= iq(p) <= iv(p) + 1e-9
    assert iv(p) <= np.log(p.shape[-1]) + 1e-9


def test_sure_and_diverse_is_log_of_the_classes():
    p = np.eye(4)[:, None]  # four assets, one view each, each surely of another class
    assert iq(p) == 0
    assert iv(p) == pytest.approx(np.log(4))
    assert iv(np.eye(4)[[0, 0, 0]][:, None]) == 0  # three equal ones


FEATURES = arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 4), st.just(6)), elements=st.floats(0.1, 1))


@settings(max_examples=50)
@given(FEATURES)
def test_cosine_is_the_mean_over_pairs_then_views(features):
    s, v, _ = features.shape
    views = []
    for view in range(v):
        pairs = []
        for a in range(s):
            for b in range(a):
                x, y = features[a, view], features[b, view]
                pairs.append(sum(x * y) / (sum(x * x) * sum(y * y)) ** 0.5)
        views.append(sum(pairs) / len(pairs))
    assert cosine(features) == pytest.approx(sum(views) / v)
    assert cosine(features) <= 1 + 1e-9
    assert cosine(features * 7) == pytest.approx(cosine(features))


def test_cosine_compares_equal_views_only():
    x, y = np.eye(2)
    assert cosine(np.array([[x, y], [x, y]])) == pytest.approx(1)
    assert cosine(np.array([[x, y], [y, x]])) == pytest.approx(0)
    assert cosine(np.array([[x], [-x]])) == pytest.approx(-1)
    # three assets: pairs (0,1) 1, (0,2) 0, (1,2) 0
    assert cosine(np.array([[x], [x], [y]])) == pytest.approx(1 / 3)


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
