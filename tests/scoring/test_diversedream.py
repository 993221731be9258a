"""DiverseDream's numbers against loops written from the protocol, scipy, and hand-worked cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as scipy_entropy

from jsdpipe.scoring.diversedream import cosine, entropies, iq, iv, iv_per_view, similarities

SHAPES = st.tuples(st.integers(2, 4), st.integers(1, 5), st.integers(2, 7))
LOGITS = arrays(np.float64, SHAPES, elements=st.floats(-40, 40))


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


@given(LOGITS)
def test_iq_and_iv_are_the_protocol_s(logits):
    p = _softmax(logits)
    rows = [row for asset in p for row in asset]
    assert iq(p) == pytest.approx(sum(scipy_entropy(row) for row in rows) / len(rows), abs=1e-9)
    assert iv(p) == pytest.approx(scipy_entropy(sum(rows) / len(rows)), abs=1e-9)


@given(LOGITS)
def test_per_view_is_the_protocol_over_the_images_of_one_view(logits):
    p = _softmax(logits)
    views = [p[:, view] for view in range(p.shape[1])]
    assert iv_per_view(p) == pytest.approx(np.mean([iv(view) for view in views]), abs=1e-9)
    assert iq(p) == pytest.approx(np.mean([iq(view) for view in views]), abs=1e-9)  # so IQ has one form


@given(LOGITS)
def test_all_are_in_order(logits):
    p = _softmax(logits)
    found = entropies(p)
    assert found == {"iq": iq(p), "iv_per_view": iv_per_view(p), "iv": iv(p)}
    assert -1e-12 <= found["iq"] <= found["iv_per_view"] + 1e-9 <= found["iv"] + 2e-9
    assert found["iv"] <= np.log(p.shape[-1]) + 1e-9


@pytest.mark.parametrize("spoilt", [np.nan, -0.5, 3.0])
def test_what_is_no_probability_is_an_error_with_the_numbers(spoilt):
    p = np.full((2, 3, 4), 0.25)
    p[1, 2] = spoilt
    with pytest.raises(ArithmeticError, match=r"ln 4 .*'iq': "):
        entropies(p)


def test_sure_and_diverse_is_log_of_the_classes():
    p = np.eye(4)[:, None]  # four assets, one view each, each surely of another class
    assert entropies(p) == pytest.approx({"iq": 0, "iv_per_view": np.log(4), "iv": np.log(4)})
    assert iv(np.eye(4)[[0, 0, 0]][:, None]) == 0  # three equal ones


def test_only_the_pooled_form_counts_what_differs_between_the_sides_of_an_asset():
    front, back = np.eye(2)
    assert entropies(np.array([[front, back]] * 3)) == pytest.approx({"iq": 0, "iv_per_view": 0, "iv": np.log(2)})
    assert entropies(np.array([[front, front], [back, back]])) == pytest.approx(
        {"iq": 0, "iv_per_view": np.log(2), "iv": np.log(2)}
    )


FEATURES = arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 4), st.just(6)), elements=st.floats(0.1, 1))


@settings(max_examples=50)
@given(FEATURES)
def test_cosine_is_the_mean_over_pairs_then_views(features):
    s, v, _ = features.shape
    views, matrix = [], np.eye(s)
    for view in range(v):
        pairs = []
        for a in range(s):
            for b in range(a):
                x, y = features[a, view], features[b, view]
                pairs.append(sum(x * y) / (sum(x * x) * sum(y * y)) ** 0.5)
                matrix[a, b] += pairs[-1] / v
                matrix[b, a] += pairs[-1] / v
        views.append(sum(pairs) / len(pairs))
    found = similarities(features)
    np.testing.assert_allclose(found, matrix, atol=1e-12)
    assert cosine(found) == pytest.approx(sum(views) / v)
    np.testing.assert_allclose(similarities(features * 7), found)


def test_similarities_compare_equal_views_only():
    x, y = np.eye(2)
    assert similarities(np.array([[x, y], [x, y]])).tolist() == [[1, 1], [1, 1]]
    assert similarities(np.array([[x, y], [y, x]])).tolist() == [[1, 0], [0, 1]]
    assert similarities(np.array([[x], [-x]])).tolist() == [[1, -1], [-1, 1]]
    # three assets: pairs (0,1) 1, (0,2) 0, (1,2) 0
    assert cosine(similarities(np.array([[x], [x], [y]]))) == pytest.approx(1 / 3)
