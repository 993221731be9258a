"""Where things are calculated: the device, its number format, how much at once, and which CUDA packages help."""

import importlib
import sys
from functools import cache
from typing import Any

import torch

# samples of rays worked on at once: on a CPU as many as its second-level cache holds
CHUNK = {"cpu": 1 << 15, "cuda": 1 << 24}
# samples of hash grids whose graphs are kept at once: about 8 kB each in plain PyTorch, with normals
GRAPH_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 20}


def device() -> str:
    """ "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16() -> bool:
    """Whether the device calculates in bfloat16 (2-3 times as fast as float32); other CPUs only imitate it, slowly."""
    able = torch.cpu.get_capabilities()
    return device() == "cuda" or bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@cache
def cuda_package(name: str, gain: str, device_type: str) -> Any | None:
    """The module of an optional CUDA package, for tensors on "cuda"; None on other devices and where it is missing.

    A missing one is a notice on stderr, once a process, that names its `gain`.
    """
    if device_type != "cuda":
        return None
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # the latter two: built for another GPU or PyTorch
        print(f"notice: without {name} ({error}) {gain} runs in plain PyTorch, slower", file=sys.stderr)
        return None
