"""A second device that is the CPU in disguise: it finds what a GPU would refuse or wait for, on a machine without one.

A tensor on "pretend" holds a CPU tensor. Where it meets the CPU's tensors, the CPU's generators or NumPy, it raises as
one on CUDA. Each wait of the host for the device is counted by the line of the package that waits, and each operation
by its name; views count too. What CUDA waits for is written down here (`WAITS`, `_wait`), not found out.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.utils._device
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

import jsdpipe
from jsdpipe.base.device import available_device

NAME = "pretend"
PACKAGE = str(Path(jsdpipe.__file__).parent)
# operations whose result, its size, or a check of its input CUDA brings to the host
WAITS = {
    "aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten._unique2", "aten.unique_consecutive",
    "aten.unique_dim", "aten.equal", "aten.bincount",
}  # fmt: skip
INDEXED = {"aten.index", "aten.index_put", "aten.index_put_", "aten._index_put_impl_"}
TO_HOST = {"aten._local_scalar_dense", "aten.equal"}  # they return numbers
_LIBRARIES: list[torch.library.Library] = []  # a registration lives as long as its library


class Counts:
    """Waits by (operation, line of the package), and operations by name; none while `paused`."""

    def __init__(self) -> None:
        self.waits: Counter[tuple[str, str]] = Counter()
        self.operations: Counter[str] = Counter()
        self.paused = False
        self.all_waits = 0  # since the process began

    def wait(self, operation: str) -> None:
        self.waits[operation, _line()] += 1
        self.all_waits += 1

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Within the context operations are not counted; waits are."""
        self.paused = True
        yield
        self.paused = False

    def clear(self) -> None:
        self.waits.clear()
        self.operations.clear()


COUNTS = Counts()


class Event:
    """A mark in the device's work, which costs a wait unless the host has waited for later work since."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def record(self) -> None:
        self.waits_before = COUNTS.all_waits

    def synchronize(self) -> None:
        if COUNTS.all_waits == self.waits_before:
            COUNTS.wait("event")


class Pretend(Tensor):
    """A tensor on the pretended device, whose numbers are in the CPU tensor `raw`."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> "Pretend":
        self: Pretend = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, raw.size(), strides=raw.stride(), storage_offset=raw.storage_offset(), dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )  # fmt: skip
        self.raw = raw
        return self

    def tolist(self) -> Any:
        COUNTS.wait("tolist")
        return self.raw.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError(f"can't convert {NAME}:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Pretend({self.raw})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(func, args, kwargs or {})


def _line() -> str:
    """The innermost line of the package that is being run."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code.co_filename.startswith(PACKAGE):
            return f"{frame.f_code.co_filename.removeprefix(PACKAGE + '/')}:{frame.f_lineno}"
    return "elsewhere"


def _is_ours(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operation on the CPU tensors in its arguments."""
    name = func._schema.name.replace("::", ".")
    flat, spec = pytree.tree_flatten((args, kwargs))
    given = {id(t.raw): t for t in flat if isinstance(t, Pretend)}
    to_ours = _is_ours(kwargs.get("device"))
    leaves = name == "aten.copy_" and not isinstance(args[0], Pretend)
    leaves |= name == "aten._to_copy" and bool(given) and kwargs.get("device") is not None and not to_ours
    _refuse(name, args, flat)
    if operation := _wait(name, args, kwargs, leaves):
        COUNTS.wait(operation)
    if not COUNTS.paused:
        COUNTS.operations[name] += 1
    raw_args, raw_kwargs = pytree.tree_unflatten([t.raw if isinstance(t, Pretend) else t for t in flat], spec)
    if to_ours:
        raw_kwargs["device"] = torch.device("cpu")
    raw_kwargs.pop("pin_memory", None)
    out = func(*raw_args, **raw_kwargs)
    if leaves or name in TO_HOST:
        return out
    # what is changed in place, or written to, is given back as the same tensor
    return pytree.tree_map_only(Tensor, lambda t: given[id(t)] if id(t) in given else Pretend(t), out)


def _refuse(name: str, args: tuple[Any, ...], flat: list[Any]) -> None:
    """Raise as CUDA does if an operation mixes devices; numbers, indices and copies may come from the CPU."""
    if any(isinstance(x, torch.Generator) for x in flat):
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu' ({name})")
    foreign = [t for t in flat if isinstance(t, Tensor) and not isinstance(t, Pretend) and t.dim()]
    if not foreign or name in ("aten.copy_", "aten._to_copy"):
        return
    indices = [id(t) for t in pytree.tree_leaves(args[1])] if name in INDEXED else []
    for t in foreign:
        if id(t) not in indices:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{NAME}:0 and cpu! ({name}, {tuple(t.shape)})"
            )


def _wait(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: bool) -> str | None:
    """What the host would wait for in an operation on CUDA; None if it only launches it."""
    if name in WAITS:
        return name
    if name in ("aten.copy_", "aten._to_copy"):
        enters = not isinstance(args[1 if name == "aten.copy_" else 0], Pretend)
        if kwargs.get("non_blocking") or (name == "aten.copy_" and len(args) > 2 and args[2]):
            return None
        return "copy to the CPU" if leaves else "copy from the CPU" if enters else None
    if name in INDEXED:
        of_cpu = [not isinstance(t, Pretend) for t in pytree.tree_leaves(args[1]) if isinstance(t, Tensor)]
        masks = any(t.dtype == torch.bool for t in pytree.tree_leaves(args[1]) if isinstance(t, Tensor))
        fills = masks and name != "aten.index" and args[2].numel() == 1  # becomes `masked_fill`
        return "index from the CPU" if any(of_cpu) else "boolean index" if masks and not fills else None
    if name == "aten.repeat_interleave" and kwargs.get("output_size") is None:
        return name
    if name == "aten.segment_reduce" and not kwargs.get("unsafe"):
        return name
    return None


def _register() -> None:
    """Tell PyTorch of the device, once in a process."""
    if _LIBRARIES:
        return
    _setup_privateuseone_for_python_backend(NAME)
    every, factories = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    _LIBRARIES.extend((every, factories))
    every.fallback(lambda op, *args, **kwargs: _call(op, args, kwargs), "PrivateUse1")

    def empty(size: Any, dtype: Any = None, memory_format: Any = None, **_: Any) -> Tensor:
        return Pretend(torch.empty(size, dtype=dtype, memory_format=memory_format or torch.contiguous_format))

    def empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> Tensor:
        return Pretend(torch.empty_strided(size, stride, dtype=dtype))

    factories.impl("empty.memory_format", empty, "PrivateUse1")
    factories.impl("empty_strided", empty_strided, "PrivateUse1")
    torch.utils._device._device_constructors()  # cached, with the constructors that are not yet replaced


def _constructor(original: Any) -> Any:
    """A constructor for data of the host, in place of PyTorch's own, which asserts on Python's devices."""

    def construct(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Any:
        if not _is_ours(device):
            return original(data, *args, **({} if device is None else {"device": device}), **kwargs)
        return original(data, *args, **kwargs).to(device)

    return construct


@contextmanager
def pretended() -> Iterator[Counts]:
    """Within the context tensors can be on the device "pretend", and what happens there is counted."""
    _register()
    index = Tensor.__getitem__

    def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, **kwargs: Any) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, device=device or self.device, **kwargs)

    def getitem(self: Tensor, key: Any) -> Tensor:
        # PyTorch asserts on an index by a Python list
        if isinstance(self, Pretend) and isinstance(key, list):
            key = torch.tensor(key)
        return index(self, key)

    # one thread, because autograd only has threads for devices known before its first backward pass in the process
    with pytest.MonkeyPatch.context() as patch, torch.autograd.set_multithreading_enabled(False):
        for name in ("tensor", "as_tensor", "scalar_tensor"):
            patch.setattr(torch, name, _constructor(getattr(torch, name)))
        patch.setattr(Tensor, "new_tensor", new_tensor)
        patch.setattr(Tensor, "pin_memory", lambda self: self)
        patch.setattr(Tensor, "__getitem__", getitem)
        patch.setattr(torch, "Event", Event)
        COUNTS.clear()
        yield COUNTS


@contextmanager
def pretended_everywhere() -> Iterator[Counts]:
    """As `pretended`, and the package's commands find the device and take it, as they take a GPU."""
    with pretended() as counts, pytest.MonkeyPatch.context() as patch:
        # the code of the function, because modules have imported the function itself
        patch.setattr(available_device, "__code__", (lambda: "pretend").__code__)
        yield counts
