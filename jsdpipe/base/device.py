"""The device of the computation: its number format, its chunk sizes, and the optional CUDA packages."""

import importlib
import sys
from functools import cache
from typing import Any

import torch

from jsdpipe.base.cpu import calculates_in

# ray samples processed at once; on a CPU, as many as its L2 cache holds
CHUNK = {"cpu": 1 << 15, "cuda": 1 << 24}
# hash-grid samples whose autograd graph is kept at once: about 8 kB each in plain PyTorch, with normals
GRAPH_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 20}
# optional package for CUDA -> what runs in plain PyTorch without it
CUDA_PACKAGES = {"nerfacc": "ray marching", "tinycudann": "the hash encoding"}
# errors of importing a package that is missing, or built for another GPU or PyTorch
UNUSABLE = (ImportError, OSError, RuntimeError)


def available_device() -> str:
    """ "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16(device: str) -> bool:
    """Whether a device calculates in bfloat16 (2-3 times as fast as float32); some CPUs only emulate it, slowly."""
    return device == "cuda" or bool(calculates_in("bfloat16"))


def number_format(name: str, device: str) -> torch.dtype:
    """PyTorch's dtype of that name on a GPU; float32 on a CPU, which is slower with others."""
    dtype: torch.dtype = getattr(torch, name)
    return dtype if device == "cuda" else torch.float32


@cache
def cuda_package(name: str, device_type: str) -> Any | None:
    """The module of one of `CUDA_PACKAGES`; None if it is missing or the device is not "cuda".

    A missing package prints one notice per process on stderr, which says what is slower without it.
    """
    if device_type != "cuda":
        return None
    try:
        return importlib.import_module(name)
    except UNUSABLE as error:
        what = CUDA_PACKAGES[name]
        print(f"notice: {name} cannot be imported ({error}); {what} runs slower, in plain PyTorch", file=sys.stderr)
        return None
