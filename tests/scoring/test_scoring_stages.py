"""The stages that score, on a small run, with tiny models: records, floors, what is kept."""

import shutil

import numpy as np
import pytest
import scored_run
import tiny_captioner
import tiny_classifier
import tiny_clip
import tiny_vision
import torch
from scipy.special import softmax
from scipy.stats import entropy
from transformers import ResNetForImageClassification

from jsdpipe.base.device import available_device
from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, write_json
from jsdpipe.mesh.stage import extract
from jsdpipe.miniature.grammar import KINDS
from jsdpipe.model_files.formats import NETWORK
from jsdpipe.models import miniature_classifier, miniature_clip
from jsdpipe.models.captioners.miniature import MiniatureCaptioner
from jsdpipe.models.classifiers.inception_v3 import Inception
from jsdpipe.models.clip import Clip
from jsdpipe.models.features.dino import Dino
from jsdpipe.models.judges.attributes import AttributesJudge
from jsdpipe.models.miniature_classifier import MiniatureClassifier, resized
from jsdpipe.models.rewards.miniature_clip import MiniatureReward
from jsdpipe.pipeline.manifests import read_manifest
from jsdpipe.pipeline.run import Run
from jsdpipe.render.rigs import quality_cameras
from jsdpipe.render.stage import render
from jsdpipe.render.view_archive import read_views
from jsdpipe.scoring import alignment, diversity, quality
from jsdpipe.scoring.assets import PROTOCOL_VERSION

STAGES = {"quality": quality.score, "alignment": alignment.score, "diversity": diversity.score}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Clip(tiny_clip.make_clip(tmp_path_factory.mktemp("tiny") / "clip"))


@pytest.fixture(scope="module")
def captioner_folder(tmp_path_factory):
    return tiny_captioner.make_captioner(tmp_path_factory.mktemp("tiny") / "captioner")


@pytest.fixture(scope="module")
def classifier_folder(tmp_path_factory):
    return tiny_classifier.make_classifier(tmp_path_factory.mktemp("tiny") / "classifier")


@pytest.fixture(scope="module")
def done(tmp_path_factory, clip, captioner_folder, classifier_folder):
    run, shard = scored_run.make(tmp_path_factory.mktemp("run") / "balls")
    extract(run, shard)
    render(run, shard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(miniature_clip, "shared_clip", lambda device: clip)
        patch.setattr(MiniatureCaptioner.Settings, "folder", lambda self: captioner_folder)
        patch.setattr(MiniatureClassifier.Settings, "folder", lambda self: classifier_folder)
        for score in STAGES.values():
            score(run, shard)
    return run, shard


@pytest.fixture(autouse=True)
def _tiny_models(monkeypatch, clip, captioner_folder, classifier_folder):
    monkeypatch.setattr(miniature_clip, "shared_clip", lambda device: clip)
    monkeypatch.setattr(MiniatureCaptioner.Settings, "folder", lambda self: captioner_folder)
    monkeypatch.setattr(MiniatureClassifier.Settings, "folder", lambda self: classifier_folder)


def _views(run, shard, record, rig):
    return read_views(run.layout.views(shard, record["prompt_id"], record["seed"]), rig)


def _detail(run, shard, record, stage):
    folder = run.layout.asset(shard.key(record["prompt_id"], record["seed"]))
    return read_json(folder / f"{stage}.json")["views"]


def test_a_reward_that_is_not_finite_and_views_that_are_gone_are_named(tmp_path, monkeypatch):
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    render(run, shard)
    reward, said = MiniatureReward, f"a reward of {shard.prompts[0].id}, seed 0, is not finite"
    with monkeypatch.context() as patched:
        patched.setattr(reward, "score", lambda self, text, images: np.full(len(images), np.nan))
        with pytest.raises(UserError, match=said):
            quality.score(run, shard)
    run.layout.views(shard, shard.prompts[0].id, 0).unlink()
    for score in STAGES.values():
        with pytest.raises(UserError, match=r"seed0\.zip: .*No such file"):
            score(run, shard)


def test_quality_of_an_asset_is_the_formula_over_its_views(done, clip):
    run, shard = done
    record = read_manifest(run, "quality", shard)[1]
    cosine = clip.images(_views(run, shard, record, "quality")) @ clip.texts([record["prompt"]])[0]
    rewards = (cosine.double().numpy().reshape(12, 2) - 0.1) / 0.2
    assert record["reward_mean"] == pytest.approx(rewards.mean())
    detail = _detail(run, shard, record, "quality")
    np.testing.assert_allclose(detail["reward"], rewards)
    directions = quality_cameras(run.config.render.quality).camera_to_world[::2, :3, 2].numpy()
    near = directions @ directions.T > 0.4  # neighbors are 63 degrees apart
    expected = np.linalg.matrix_power(near / near.sum(axis=1, keepdims=True), 3) @ rewards.max(axis=1)
    np.testing.assert_allclose(detail["smoothed"], expected)
    vertex = record["best_view"] // 2
    assert detail["smoothed"][vertex] == max(detail["smoothed"])
    assert record["best_view"] % 2 == rewards[vertex].argmax()
    assert record["quality"] == pytest.approx(20 * max(detail["smoothed"]) + 50)
    assert rewards.std() > 1e-3


def test_failed_assets_get_the_floors_and_keep_their_reasons(done, clip):
    run, shard = done
    quality_records, alignment_records = (read_manifest(run, stage, shard) for stage in ("quality", "alignment"))
    black = clip.images(np.zeros((1, 32, 32, 3), np.uint8))[0]
    for index, reason in ((2, "not finite at step 7"), (4, "density")):
        record = quality_records[index]
        assert record["status"] == "failed" and reason in record["reason"]
        reward = max((float(black @ clip.texts([record["prompt"]])[0]) - 0.1) / 0.2, -2.25)
        assert record["quality"] == pytest.approx(20 * reward + 50, abs=1e-4)
        graded = alignment_records[index]
        assert graded["status"] == "failed" and graded["reason"] == record["reason"]
        assert (graded["alignment"], graded["grade"], graded["caption"]) == (0.0, 1, "")
        assert (graded["similarity"], graded["r_precision"]) == (0.0, 0.0)
    assert [r["status"] for r in quality_records] == ["ok", "ok", "failed", "ok", "failed", "ok"]


def test_alignment_grades_the_merged_captions_of_the_views(done):
    run, shard = done
    captioner, judge = MiniatureCaptioner(MiniatureCaptioner.Settings(kind="miniature")), AttributesJudge()
    for record in read_manifest(run, "alignment", shard):
        if record["status"] == "ok":
            captions = captioner.caption(_views(run, shard, record, "alignment"))
            assert len(captions) == 12
            details = _detail(run, shard, record, "alignment")
            assert (details["captions"], details["answers"]) == (captions, [])
            assert record["caption"] == judge.merge(captions)
            assert record["grade"] == judge.grade(record["prompt"], record["caption"])
            assert record["alignment"] == (record["grade"] - 1) * 25


def test_similarity_is_of_the_alignment_views_with_the_prompts_of_the_set(done, clip):
    run, shard = done
    texts = clip.texts(list(scored_run.PROMPTS)).double().numpy()
    for record in read_manifest(run, "alignment", shard):
        if record["status"] == "ok":
            cosines = clip.images(_views(run, shard, record, "alignment")).double().numpy() @ texts.T
            own = scored_run.PROMPTS.index(record["prompt"])
            details = _detail(run, shard, record, "alignment")
            np.testing.assert_allclose(details["cosines"], cosines[:, own], atol=1e-6)
            np.testing.assert_allclose(details["rivals"], cosines[:, 1 - own], atol=1e-6)
            assert record["similarity"] == pytest.approx(100 * cosines[:, own].clip(min=0).mean(), abs=1e-4)
            assert record["r_precision"] == (cosines[:, own] > cosines[:, 1 - own]).mean()


def test_diversity_is_over_the_seeds_that_are_whole(done, classifier_folder):
    run, shard = done
    first, second = read_manifest(run, "diversity", shard)
    assert (first["seeds"], first["failed_seeds"], second["failed_seeds"]) == ([0, 1, 2], [2], [1])
    ring = [read_views(run.layout.views(shard, first["prompt_id"], seed), "diversity") for seed in (0, 1)]
    network = ResNetForImageClassification.from_pretrained(classifier_folder, dtype=torch.float32)
    with torch.no_grad():
        pixels = [resized(torch.from_numpy(images).permute(0, 3, 1, 2) / 255) for images in ring]
        found = [network(images, output_hidden_states=True) for images in pixels]
    a, b = (outputs.hidden_states[-1].mean(dim=(2, 3)).double().numpy() for outputs in found)
    cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert first["cosine"] == pytest.approx(cosines.mean(), abs=1e-5)
    p = softmax(np.concatenate([outputs.logits.double().numpy() for outputs in found]), axis=1)
    assert first["iq"] == pytest.approx(np.mean([entropy(row) for row in p]), abs=1e-5)
    assert first["iv"] == pytest.approx(entropy(p.mean(axis=0)), abs=1e-5)
    assert first["iv_per_view"] == pytest.approx(np.mean([entropy(p[v] + p[5 + v]) for v in range(5)]), abs=1e-5)
    assert first["iq"] <= first["iv_per_view"] <= first["iv"]
    np.testing.assert_allclose(first["similarities"], [[1, first["cosine"]], [first["cosine"], 1]], atol=1e-6)
    balls = p.argmax(axis=1) == KINDS.index("ball")
    assert first["recognition"] == {"0": balls[:5].mean(), "1": balls[5:].mean()}
    assert set(second["recognition"]) == {"0", "2"}


def test_iq_iv_and_cosine_can_be_worked_out_from_the_files(done):
    run, shard = done
    for record in read_manifest(run, "diversity", shard):
        of_seeds = [
            _detail(run, shard, record | {"seed": seed}, "diversity")
            for seed in record["seeds"]
            if seed not in record["failed_seeds"]
        ]
        assert record["iq"] == pytest.approx(np.mean([details["entropy"] for details in of_seeds]))
        mean = np.mean([details["mean_probabilities"] for details in of_seeds], axis=0)
        assert record["iv"] == pytest.approx(entropy(mean))
        assert record["cosine"] == pytest.approx(record["similarities"][0][1])


def test_one_whole_asset_has_no_diversity_but_is_recognised(done, tmp_path):
    run, shard = scored_run.make(tmp_path / "balls")
    manifest = run.layout.manifest("generate", shard)
    content = read_json(manifest)
    content["records"][0] |= {"status": "failed", "reason": "burnt"}
    write_json(manifest, content)
    for stage in (extract, render, diversity.score):
        stage(run, shard)
    record = read_manifest(run, "diversity", shard)[0]
    assert record["failed_seeds"] == [0, 2]
    assert {record[name] for name in ("iq", "iv_per_view", "iv", "cosine")} == {None}
    assert record["similarities"] is None
    assert list(record["recognition"]) == ["1"]


def test_diversity_by_the_networks_of_the_protocol(tmp_path, inception_file):
    classifier = Inception.Settings(kind="inception-v3", weights=str(inception_file))
    features = Dino.Settings(kind="dino", model=str(tiny_vision.vit(tmp_path / "dino")))
    run, shard = scored_run.make(
        tmp_path / "balls",
        render={**scored_run.RENDER, "diversity": {**scored_run.RENDER["diversity"], "views": 2}},
        diversity={"classifier": classifier.model_dump(), "features": features.model_dump()},
    )
    for stage in (extract, render, diversity.score):
        stage(run, shard)
    first, second = read_manifest(run, "diversity", shard)
    ring = [read_views(run.layout.views(shard, first["prompt_id"], seed), "diversity") for seed in (0, 1)]
    device = available_device()
    inception, dino = Inception(classifier, device), Dino(features, device)
    p = np.concatenate([inception.probabilities(images) for images in ring])
    assert first["iq"] == pytest.approx(np.mean([entropy(row) for row in p]))
    assert first["iv"] == pytest.approx(entropy(p.mean(axis=0)))
    tokens = [dino.features(images) for images in ring]
    assert first["cosine"] == pytest.approx((tokens[0] * tokens[1]).sum(axis=1).mean())
    assert first["recognition"] is second["recognition"] is None  # ImageNet has no plain ball
    models = read_json(run.layout.manifest("diversity", shard))["provenance"]["models"]
    assert models == {"classifier": inception.identity, "features": dino.identity}


def test_nothing_is_scored_twice_and_what_is_missing_is_scored_to_the_same_bytes(done, monkeypatch):
    run, shard = done
    paths = [p for p in run.folder.rglob("*.json") if p.stem in STAGES or p.parent.parent.parent.name in STAGES]
    assert len(paths) == 3 + 6 + 6 + 4
    before = {path: path.read_bytes() for path in paths}
    with monkeypatch.context() as patch:
        patch.setattr(Clip, "images", lambda *_: pytest.fail("an image was scored again"))
        for score in STAGES.values():
            score(run, shard)
    assert {path: path.read_bytes() for path in paths} == before
    for path in paths[::2]:
        path.unlink()
    for score in STAGES.values():
        score(run, shard)
    assert {path: path.read_bytes() for path in paths} == before


def test_models_fingerprints_and_manifests_have_one_device(done, clip, classifier_folder, tmp_path, monkeypatch):
    run, shard = Run.load(shutil.copytree(done[0].folder, tmp_path / "copy")), done[1]
    used = []
    monkeypatch.setattr(miniature_clip, "shared_clip", lambda device: used.append(device) or clip)
    network = ResNetForImageClassification.from_pretrained(classifier_folder, dtype=torch.float32)
    monkeypatch.setattr(miniature_classifier, "_shared", lambda folder, device: used.append(device) or network)
    told = []
    monkeypatch.setattr(
        MiniatureCaptioner, "caption", lambda self, images, seed: told.append(self.device) or ["a ball"] * len(images)
    )
    for module in (quality, alignment, diversity):
        monkeypatch.setattr(module, "available_device", lambda: "a device")
    for stage, score in STAGES.items():
        score(run, shard)
        assert read_json(run.layout.manifest(stage, shard))["provenance"]["device"] == "a device"
        before, after = (r.layout.asset(shard.key(shard.prompts[0].id, 0)) / f"{stage}.json" for r in (done[0], run))
        assert read_json(before)["fingerprint"] != read_json(after)["fingerprint"]
    assert len(used) >= 4 and set(used) == {"a device"}  # a reward, a similarity, a classifier, features
    assert set(told) == {"a device"}


def test_manifests_name_the_models(done, clip, captioner_folder, classifier_folder):
    run, shard = done
    digests = dict.fromkeys(("reward", "similarity"), clip.sha256) | {"captioner": NETWORK.digest(captioner_folder)}
    digests |= dict.fromkeys(("classifier", "features"), NETWORK.digest(classifier_folder)) | {"judge": ""}
    for stage, roles in (
        ("quality", {"reward"}),
        ("alignment", {"captioner", "judge", "similarity"}),
        ("diversity", {"classifier", "features"}),
    ):
        origin = read_json(run.layout.manifest(stage, shard))["provenance"]
        named = origin["models"]
        assert origin["protocol_version"] == PROTOCOL_VERSION
        assert set(named) == roles
        assert all(digests[role] in identity for role, identity in named.items())
