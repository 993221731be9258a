"""Similarity and R-precision worked out by hand; what an asset's records hold of them."""

import numpy as np
import pytest
import scored_run

from jsdpipe.config.prompts import Prompt
from jsdpipe.pipeline.run import Run
from jsdpipe.scoring.similarity import JudgeFree, r_precision, rivals, similarity

# four views, three texts: the first text is nearest to views 0 and 1, ties at view 2, is farthest at view 3
COSINES = np.array([[0.3, 0.2, 0.1], [0.25, 0.2, 0.2], [0.2, 0.2, 0.1], [-0.1, 0.2, 0.3]])


def test_similarity_is_100_times_the_mean_cosine_not_below_0_at_any_view():
    assert similarity(COSINES[:, 0]) == pytest.approx(100 * (0.3 + 0.25 + 0.2 + 0) / 4)
    assert similarity(np.full(12, -0.3)) == 0
    assert similarity(np.ones(12)) == 100


def test_r_precision_is_the_share_of_views_whose_nearest_text_is_the_prompt():
    assert r_precision(COSINES, own=0) == 0.5
    assert r_precision(COSINES, own=1) == 0
    assert r_precision(COSINES, own=2) == 0.25


def test_the_rival_is_the_nearest_other_text():
    assert rivals(COSINES, own=0).tolist() == [0.2, 0.2, 0.2, 0.3]
    assert rivals(COSINES, own=2).tolist() == [0.3, 0.25, 0.2, 0.2]


def test_one_text_alone_ranks_among_none():
    assert r_precision(COSINES[:, :1], own=0) is None
    assert rivals(COSINES[:, :1], own=0).tolist() == [-1] * 4


def test_it_is_what_ranks_say():
    """The view retrieves its text where that has rank 0 of all, in NumPy's own order."""
    cosines = np.random.default_rng(0).uniform(-1, 1, (50, 100))
    for own in range(100):
        ranks = np.argsort(np.argsort(-cosines, axis=1), axis=1)[:, own]
        assert r_precision(cosines, own) == (ranks == 0).mean()


class Known:
    """Cosines that the test knows, by text; one row an image."""

    identity = "known"

    def __init__(self, **of_text):
        self.of_text = of_text

    def cosines(self, images, texts):
        return np.array([self.of_text[text] for text in texts]).T[: len(images)]


def test_an_asset_s_views_are_ranked_among_the_distinct_texts_of_its_set(tmp_path):
    run, shard = scored_run.make(tmp_path / "run")
    [name] = run.prompts
    prompts = tuple(Prompt(f"id-{i}", text) for i, text in enumerate(("red", "blue", "red")))
    known = Run(run.folder, run.config, run.recipes, {name: prompts})
    texts = JudgeFree.of(known, shard, "cpu").texts
    assert texts == ["red", "blue"]
    scores = JudgeFree(Known(red=[0.3, 0.1, 0.2], blue=[0.1, 0.2, 0.1]), texts)
    numbers, details = scores.score("red", np.zeros((3, 4, 4, 3), np.uint8))
    assert numbers == {"similarity": pytest.approx(20), "r_precision": pytest.approx(2 / 3)}
    assert details == {"cosines": [0.3, 0.1, 0.2], "rivals": [0.1, 0.2, 0.1]}
    assert scores.score("blue", None) == ({"similarity": 0, "r_precision": 0}, {})
    assert JudgeFree(Known(), ["red"]).score("red", None)[0] == {"similarity": 0, "r_precision": None}


def test_a_configuration_may_leave_it_out(tmp_path):
    run, shard = scored_run.make(tmp_path / "run")
    section = run.config.alignment.model_copy(update={"similarity": None})
    without = run.config.model_copy(update={"alignment": section})
    assert JudgeFree.of(Run(run.folder, without, run.recipes, run.prompts), shard, "cpu") is None
