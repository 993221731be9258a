import importlib
import subprocess
from types import SimpleNamespace

import pytest
import torch

from jsdpipe.base.device import has_triton, number_format


@pytest.fixture(autouse=True)
def forget():
    has_triton.cache_clear()
    yield
    has_triton.cache_clear()


def failing(error):
    """Triton whose driver fails."""

    class Driver:
        @property
        def active(self):
            raise error

    return SimpleNamespace(runtime=SimpleNamespace(driver=Driver()))


@pytest.mark.parametrize(
    "error", [RuntimeError("Failed to find C compiler"), subprocess.CalledProcessError(1, "gcc"), AssertionError("?")]
)
def test_where_triton_does_not_work_it_is_one_notice_and_no_error(error, monkeypatch, capsys):
    monkeypatch.setattr(importlib, "import_module", lambda name: failing(error))
    assert [has_triton("cuda") for _ in range(3)] == [False] * 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Triton" in said and str(error) in said


def test_without_triton_it_is_not_used(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert not has_triton("cuda")


def test_on_a_cpu_nothing_is_missed(monkeypatch, capsys):
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail("imported"))
    assert not has_triton("cpu")
    assert capsys.readouterr().err == ""


def test_where_triton_works_it_is_used(monkeypatch):
    driver = SimpleNamespace(active=SimpleNamespace(get_current_target=lambda: "sm_90"))
    triton = SimpleNamespace(runtime=SimpleNamespace(driver=driver))
    monkeypatch.setattr(importlib, "import_module", lambda name: triton)
    assert has_triton("cuda")


def test_a_cpu_calculates_in_single_precision():
    assert number_format("bfloat16", "cuda") is torch.bfloat16
    assert number_format("bfloat16", "cpu") is torch.float32
