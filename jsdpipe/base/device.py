"""Where things are calculated: the device, its number format, how much at once, and which CUDA packages help."""

import importlib
import sys
from functools import cache
from typing import Any

import torch

from jsdpipe.base.cpu import calculates_in

# samples of rays worked on at once: on a CPU as many as its second-level cache holds
CHUNK = {"cpu": 1 << 15, "cuda": 1 << 24}
# samples of hash grids whose graphs are kept at once: about 8 kB each in plain PyTorch, with normals
GRAPH_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 20}
# the optional packages for CUDA -> what runs in plain PyTorch without them
CUDA_PACKAGES = {"nerfacc": "the marching of rays", "tinycudann": "the hash encoding"}
# what the import of one raises that is missing, or built for another GPU or PyTorch
UNUSABLE = (ImportError, OSError, RuntimeError)


def available_device() -> str:
    """ "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16(device: str) -> bool:
    """Whether a device calculates in bfloat16 (2-3 times as fast as float32); other CPUs only imitate it, slowly."""
    return device == "cuda" or bool(calculates_in("bfloat16"))


def number_format(name: str, device: str) -> torch.dtype:
    """PyTorch's format of that name on a GPU; float32 on a CPU, which is slower with any other."""
    dtype: torch.dtype = getattr(torch, name)
    return dtype if device == "cuda" else torch.float32


@cache
def cuda_package(name: str, device_type: str) -> Any | None:
    """The module of one of `CUDA_PACKAGES`, for tensors on "cuda"; None on other devices and where it is missing.

    A missing one is a notice on stderr, once a process, that names what is slower.
    """
    if device_type != "cuda":
        return None
    try:
        return importlib.import_module(name)
    except UNUSABLE as error:
        print(f"notice: without {name} ({error}) {CUDA_PACKAGES[name]} runs in plain PyTorch, slower", file=sys.stderr)
        return None
