"""The scores of things that are known: meshes of the miniature world itself, by the committed models."""

import numpy as np
import pytest
import torch
from pictures import render
from torch import Tensor

from jsdpipe.config.run_config import AlignmentRig, QualityRig, RingRig
from jsdpipe.mesh.isosurface import extract
from jsdpipe.miniature import WEIGHTS
from jsdpipe.miniature.grammar import parse
from jsdpipe.miniature.scenes import compose
from jsdpipe.miniature.solids import albedo, distance, select
from jsdpipe.models.captioners.miniature import MiniatureCaptioner
from jsdpipe.models.classifiers.miniature import KindClassifier
from jsdpipe.models.judges.attributes import AttributesJudge
from jsdpipe.models.rewards.miniature_clip import MiniatureReward
from jsdpipe.render import rigs
from jsdpipe.scoring.alignment import alignment
from jsdpipe.scoring.diversity import named_class
from jsdpipe.scoring.quality import quality

pytestmark = pytest.mark.skipif(not (WEIGHTS / "clip").is_dir(), reason="the miniature's models are not trained yet")

PROMPTS = ("a red house", "a green ball", "a blue cube", "a pink mushroom", "a yellow duck", "a purple chair")
QUALITY = QualityRig(subdivision=0, radius=2.2, fovy_deg=[60.0, 45.0])
ALIGNMENT = AlignmentRig(subdivision=0, radius=2.4, fovy_deg=60.0)
RING = RingRig(views=8, elevation_deg=15.0, distance=2.6, fovy_deg=45.0)


class Truth:
    """A scene of the miniature world as a field: density 1/2 on its surface."""

    bound = 1.1

    def __init__(self, text: str) -> None:
        self.scene = compose([parse(text)], torch.Generator().manual_seed(0))

    def _select(self, points: Tensor):
        return select(self.scene, torch.zeros(len(points), dtype=torch.long))

    def density(self, points: Tensor) -> Tensor:
        return (0.5 - 20 * distance(self._select(points), points)).clamp(min=0)

    def albedo(self, points: Tensor) -> Tensor:
        return albedo(self._select(points), points)


@pytest.fixture(scope="module")
def meshes():
    return {text: extract(Truth(text), 48, 0.5)[0] for text in PROMPTS}


def _views(placed, cameras):
    return render(placed, cameras.camera_to_world, cameras.fovy, 64, 2)[0]


def test_kinds_are_recognised_around_the_ring(meshes):
    classifier = KindClassifier(KindClassifier.Settings(kind="miniature"))
    shares = []
    for text, mesh in meshes.items():
        views = _views(rigs.place_for_ring(mesh, RING), rigs.ring_cameras(RING))
        top = classifier.probabilities(views).argmax(axis=1)
        shares.append((top == named_class(text, classifier.classes)).mean())
    assert np.mean(shares) >= 0.8, dict(zip(PROMPTS, shares, strict=True))


def test_captions_say_what_is_there(meshes):
    captioner = MiniatureCaptioner(MiniatureCaptioner.Settings(kind="miniature"))
    judge = AttributesJudge()
    said = {}
    for text, mesh in meshes.items():
        views = _views(rigs.place_for_t3bench(mesh), rigs.alignment_cameras(ALIGNMENT))
        said[text] = judge.merge(captioner.caption(views))
    assert np.mean([alignment(judge.grade(*pair)) for pair in said.items()]) >= 75, said


def test_a_thing_s_own_prompt_scores_best(meshes):
    reward = MiniatureReward()
    _, neighbors = rigs.icosphere(0)
    scores = np.zeros((len(PROMPTS), len(PROMPTS)))
    for i, mesh in enumerate(meshes.values()):
        views = _views(rigs.place_for_t3bench(mesh), rigs.quality_cameras(QUALITY))
        scores[i] = [quality(reward.score(text, views).reshape(12, 2), neighbors).score for text in PROMPTS]
    best = scores.argmax(axis=1)
    assert (best == np.arange(len(PROMPTS))).sum() >= len(PROMPTS) - 1, scores.round()
    own = np.diag(scores).mean()
    assert own - (scores.sum() - np.trace(scores)) / (scores.size - len(PROMPTS)) > 10
    black = reward.score(PROMPTS[0], np.zeros((1, 64, 64, 3), np.uint8))
    assert 20 * black[0] + 50 < own
