import importlib

import pytest
import torch

from jsdpipe.base.device import cuda_package, number_format


@pytest.fixture(autouse=True)
def forget():
    cuda_package.cache_clear()
    yield
    cuda_package.cache_clear()


def test_a_missing_cuda_package_is_one_notice_and_no_error(monkeypatch, capsys):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert [cuda_package("nerfacc", "cuda") for _ in range(3)] == [None] * 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "nerfacc" in said


def test_on_a_cpu_nothing_is_missed(monkeypatch, capsys):
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail("imported"))
    assert cuda_package("nerfacc", "cpu") is None
    assert capsys.readouterr().err == ""


def test_what_is_installed_is_used(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", lambda name: torch)
    assert cuda_package("tinycudann", "cuda") is torch


def test_a_cpu_calculates_in_single_precision():
    assert number_format("bfloat16", "cuda") is torch.bfloat16
    assert number_format("bfloat16", "cpu") is torch.float32
