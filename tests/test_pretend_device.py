"""The pretended device refuses and counts what CUDA does, and the stages that use a device work on it."""

import numpy as np
import pytest
import scored_run
import tiny
import tiny_captioner
import tiny_classifier
import tiny_clip
import tiny_imagereward
import tiny_models
import torch
from pretend_device import COUNTS, NAME, pretended, pretended_everywhere

from jsdpipe.base.device import ToHost, is_accelerator, number_format, to_device
from jsdpipe.base.files import read_json
from jsdpipe.config.run_config import resolve
from jsdpipe.generation.stage import generate
from jsdpipe.mesh.stage import extract
from jsdpipe.models import miniature_clip
from jsdpipe.models.captioners.miniature import MiniatureCaptioner
from jsdpipe.models.classifiers.inception_v3 import Inception
from jsdpipe.models.clip import Clip
from jsdpipe.models.miniature_classifier import MiniatureClassifier
from jsdpipe.models.rewards.imagereward import ImageReward
from jsdpipe.pipeline.run import Run
from jsdpipe.render.stage import render
from jsdpipe.scene.files import load
from jsdpipe.scoring import alignment, diversity, quality

STAGES = {"quality": quality.score, "alignment": alignment.score, "diversity": diversity.score}


@pytest.fixture
def device():
    with pretended():
        yield torch.device(NAME)


class TestDevice:
    def test_calculates(self, device):
        x = torch.arange(6.0, device=device).view(2, 3).requires_grad_()
        (x.square().sum(dim=1) * torch.tensor([1.0, 2.0], device=device)).sum().backward()
        assert x.grad.device.type == NAME
        assert x.grad.cpu().tolist() == [[0, 2, 4], [12, 16, 20]]

    @pytest.mark.parametrize(
        "mix",
        [
            lambda x: x + torch.ones(3),
            lambda x: torch.stack([x, torch.ones(3)]),
            lambda x: torch.ones(3).add_(x),
            lambda x: torch.rand(3, generator=torch.Generator(), device=x.device),
            lambda x: np.asarray(x),
            lambda x: x.numpy(),
        ],
    )
    def test_refuses_what_belongs_to_the_host(self, device, mix):
        with pytest.raises((RuntimeError, TypeError), match="device"):
            mix(torch.ones(3, device=device))

    @pytest.mark.parametrize(
        ("waits", "what"),
        [
            (1, lambda x: x.sum().item()),
            (1, lambda x: float(x[0])),
            (1, lambda x: bool((x > 0).all())),
            (1, lambda x: x.tolist()),
            (1, lambda x: x.cpu()),
            (1, lambda x: x.nonzero()),
            (1, lambda x: x[x > 0]),
            (1, lambda x: x[torch.tensor([0, 1])]),
            (1, lambda x: x[[0, 1]]),
            (1, lambda x: x.long().bincount()),
            (1, lambda x: x.repeat_interleave(x.long())),
            (1, lambda x: torch.ones(3).to(x.device)),
            (1, lambda x: torch.tensor([1.0, 2.0], device=x.device)),
            (1, lambda x: ToHost(x).read()),
            (1, lambda x: (ToHost(x), x.tolist())[0].read()),
            (0, lambda x: ToHost(x)),
            (0, lambda x: to_device(torch.ones(3), x.device)),
            (0, lambda x: x.repeat_interleave(x.long(), output_size=3)),
            (0, lambda x: torch.where(x > 0, x, 0.0).sum()),
            (0, lambda x: x[1:].view(1, 2)),
        ],
    )
    def test_waits(self, device, waits, what):
        x = torch.ones(3, device=device)
        COUNTS.clear()
        what(x)
        assert sum(COUNTS.waits.values()) == waits

    def test_operations(self, device):
        x = torch.ones(3, device=device)
        COUNTS.clear()
        with COUNTS.pause():
            x.exp()
        x.log()
        assert dict(COUNTS.operations) == {"aten.log": 1}

    def test_any_device_but_the_cpu_is_an_accelerator(self, device):
        assert [is_accelerator(d) for d in ("cpu", "cuda", NAME, device)] == [False, True, True, True]
        assert number_format("bfloat16", NAME) is torch.bfloat16


def test_generation(tmp_path):
    config = tiny.config(tmp_path)
    config["prior"] = {"model": str(tiny_models.diffusion(tmp_path / "prior", tiny_vae=True))}
    runs = [Run.of(resolve(config), tmp_path / name) for name in ("cpu", "pretend")]
    for run in runs:
        run.save()
    shard = next(iter(runs[0].shards()))
    generate(runs[0], shard)
    with pretended_everywhere():
        generate(runs[1], shard)
    for prompt, seed in shard.assets():
        one, other = (
            load(run.layout.asset(shard.key(prompt.id, seed)) / "scene.safetensors").tensors() for run in runs
        )
        for name, tensor in one.items():
            assert tensor.device.type == other[name].device.type == "cpu"
            assert torch.isclose(tensor, other[name], atol=1e-3).float().mean() > 0.95, name  # Adam turns last bits


def test_scores_are_those_of_the_cpu(tmp_path, monkeypatch):
    run, shard = scored_run.make(tmp_path / "balls")
    extract(run, shard)
    render(run, shard)
    clip = tiny_clip.make_clip(tmp_path / "clip")
    captioner = tiny_captioner.make_captioner(tmp_path / "captioner")
    classifier = tiny_classifier.make_classifier(tmp_path / "classifier")
    monkeypatch.setattr(miniature_clip, "shared_clip", lambda device: Clip(clip, device))
    monkeypatch.setattr(MiniatureCaptioner.Settings, "folder", lambda self: captioner)
    monkeypatch.setattr(MiniatureClassifier.Settings, "folder", lambda self: classifier)

    def scores():
        for score in STAGES.values():
            score(run, shard)
        return {name: read_json(run.layout.manifest(name, shard)) for name in STAGES}

    on_cpu = scores()
    with pretended_everywhere():
        pretended_ones = scores()
    for name, found in pretended_ones.items():
        assert found["provenance"]["device"] == NAME
        assert numbers(found["records"]) == pytest.approx(numbers(on_cpu[name]["records"]), rel=1e-4, abs=1e-5)


def numbers(value):
    """All numbers in a record but the best of equal views."""
    if isinstance(value, dict):
        value = [part for key, part in value.items() if key != "best_view"]
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def test_scoring_models_of_the_paper(tmp_path, inception_file):
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    tiny_imagereward.make_imagereward(tmp_path / "reward")
    tiny_imagereward.make_vocabulary(tmp_path / "reward")
    folder = str(tmp_path / "reward")
    reward = ImageReward.Settings(kind="imagereward", model=folder, dtype="float32", tokenizer={"model": folder})
    inception = Inception.Settings(kind="inception-v3", weights=str(inception_file))

    def answers(device):
        rewards = ImageReward(reward, device).score("a red ball", images)
        return rewards, Inception(inception, device).probabilities(images)

    expected = answers("cpu")
    with pretended():
        for one, other in zip(expected, answers(NAME), strict=True):
            assert np.allclose(one, other, atol=1e-4)
