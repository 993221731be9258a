"""The device of the computation: its number format, its chunk sizes, and whether Triton's kernels run on it."""

import importlib
import subprocess
import sys
from functools import cache

import torch

from jsdpipe.base.cpu import calculates_in

# ray samples processed at once; on a CPU, as many as its L2 cache holds
CHUNK = {"cpu": 1 << 15, "cuda": 1 << 24}
# hash-grid samples whose autograd graph is kept at once: about 8 kB each in plain PyTorch, with normals
GRAPH_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 20}
# errors of Triton where it is missing, finds no GPU or no C compiler, or its host code cannot be compiled
UNUSABLE = (ImportError, OSError, RuntimeError, AssertionError, subprocess.SubprocessError)


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
def has_triton(device_type: str) -> bool:
    """Whether Triton's kernels run on this type of device: on "cuda", unless Triton does not work there.

    If it does not, this prints one notice per process on stderr.
    """
    if device_type != "cuda":
        return False
    try:
        load_triton()
    except UNUSABLE as error:
        print(f"notice: Triton does not work ({error}); hash grids run in plain PyTorch", file=sys.stderr)
        return False
    return True


def load_triton() -> None:
    """Import Triton, and have it compile its host code for the GPU.

    Raises:
        one of `UNUSABLE`: it does not work here.
    """
    importlib.import_module("triton").runtime.driver.active.get_current_target()
