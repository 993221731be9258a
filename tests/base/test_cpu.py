"""Which number formats a CPU calculates in, by the flags that Linux states."""

import pytest
import torch

from jsdpipe.base import cpu
from jsdpipe.base.device import has_bfloat16

FLAGS = {
    "old": ("fpu sse2 avx2 f16c", False, False),
    "Zen 4": ("fpu avx2 avx512f avx512_bf16", True, False),
    "Sapphire Rapids": ("fpu avx512_fp16 amx_bf16 amx_tile avx512_bf16", True, True),
}


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """State the flags of a CPU of two cores."""

    def state(words):
        (tmp_path / "cpuinfo").write_text("".join(f"processor\t: {core}\nflags\t\t: {words}\n\n" for core in (0, 1)))
        monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")

    return state


@pytest.mark.parametrize("name", FLAGS)
def test_formats(flags, name):
    words, bfloat16, float16 = FLAGS[name]
    flags(words)
    assert (cpu.calculates_in("bfloat16"), cpu.calculates_in("float16")) == (bfloat16, float16)
    assert (cpu.half_precision_warning("bfloat16") is None, cpu.half_precision_warning("float16") is None) == (
        bfloat16,
        float16,
    )
    assert cpu.half_precision_warning("float32") is None


def test_what_is_fast_is_named(flags):
    flags(FLAGS["Zen 4"][0])
    assert "bfloat16" in cpu.half_precision_warning("float16")


def test_another_system_states_no_flags(tmp_path, monkeypatch):
    for path in (tmp_path / "none", tmp_path / "arm"):
        monkeypatch.setattr(cpu, "CPUINFO", path)
        assert cpu.calculates_in("float16") is None
        assert cpu.half_precision_warning("float16") is None
        (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")


@pytest.mark.skipif(not cpu._flags(), reason="the system states no flags")
def test_pytorch_says_the_same():
    able = torch.cpu.get_capabilities()
    for name, flags in cpu.INSTRUCTIONS.items():
        assert cpu.calculates_in(name) == any(able.get(flag) for flag in flags)
    assert has_bfloat16("cpu") == cpu.calculates_in("bfloat16")
