"""The device of the computation: its number format and sizes, copies without waits, and whether Triton's kernels run.

Every device but the CPU is an accelerator: it works while the host goes on, until the host waits for a number of it.
"""

import importlib
import subprocess
import sys
from functools import cache

import torch
from torch import Tensor

from jsdpipe.base.cpu import calculates_in

# errors of Triton where it is missing, finds no GPU or no C compiler, or its host code cannot be compiled
UNUSABLE = (ImportError, OSError, RuntimeError, AssertionError, subprocess.SubprocessError)


def available_device() -> str:
    """ "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def is_accelerator(device: str | torch.device) -> bool:
    """Whether a device works beside the host, in parallel and with memory of its own."""
    return torch.device(device).type != "cpu"


def samples_at_once(device: torch.device) -> int:
    """How many ray samples are processed at once; on a CPU, as many as its L2 cache holds."""
    return 1 << 24 if is_accelerator(device) else 1 << 15


def graph_samples_at_once(device: torch.device) -> int:
    """Of how many hash-grid samples the autograd graph is kept at once: about 8 kB each in PyTorch, with normals."""
    return 1 << 20 if is_accelerator(device) else 1 << 15


def has_bfloat16(device: str) -> bool:
    """Whether a device calculates in bfloat16 (2-3 times as fast as float32); some CPUs only emulate it, slowly."""
    return is_accelerator(device) or bool(calculates_in("bfloat16"))


def number_format(name: str, device: str) -> torch.dtype:
    """PyTorch's dtype of that name on an accelerator; float32 on a CPU, which is slower with others."""
    dtype: torch.dtype = getattr(torch, name)
    return dtype if is_accelerator(device) else torch.float32


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device. The host does not wait: from pinned memory the copy is made while it goes on."""
    return x.pin_memory().to(device, non_blocking=True) if is_accelerator(device) else x


class ToHost:
    """A copy of numbers on its way from a device to the host, which waits only when it reads it, if ever."""

    def __init__(self, x: Tensor) -> None:
        self._arrived: torch.Event | None = None
        self._x = x.to("cpu", non_blocking=True, copy=True)  # into pinned memory
        if is_accelerator(x.device):
            self._arrived = torch.Event(x.device)
            self._arrived.record()

    def read(self) -> Tensor:
        """The numbers, on the CPU."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._x


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
