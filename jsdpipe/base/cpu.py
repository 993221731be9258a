"""The half-precision formats that this CPU has instructions for. Torch-free, so that planning can check it."""

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# half-precision format -> flags of x86 CPUs that calculate in it; others only convert it
INSTRUCTIONS = {"bfloat16": {"avx512_bf16", "amx_bf16"}, "float16": {"avx512_fp16", "amx_fp16"}}


def calculates_in(format: str) -> bool | None:
    """Whether the CPU has instructions for a format of `INSTRUCTIONS`; None if unknown (not x86 Linux)."""
    flags = _flags()
    return bool(flags & INSTRUCTIONS[format]) if flags else None


def half_precision_warning(format: str) -> str | None:
    """A warning if models would calculate in a format that this CPU only emulates, else None."""
    if format not in INSTRUCTIONS or calculates_in(format) is not False:
        return None
    native = [other for other in ("float32", *INSTRUCTIONS) if other == "float32" or calculates_in(other)]
    return f"{format}: this CPU has no instructions for it; {' or '.join(native)} is many times faster"


def cpu_name() -> str:
    """The model of the first core, or the machine's architecture if the system does not list it."""
    return _stated("model name") or platform.machine()


def _flags() -> set[str]:
    """The flags of the first core; empty if the system does not list them."""
    return set(_stated("flags").split())


def _stated(key: str) -> str:
    """What the system says of the first core, or nothing."""
    try:
        with CPUINFO.open(encoding="utf-8") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
    except OSError:
        return ""
