"""What this CPU has instructions for. Torch-free, so that it can be asked before work begins."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# of each half-precision format, the flags of an x86 CPU that calculates in it, and does not only convert
INSTRUCTIONS = {"bfloat16": {"avx512_bf16", "amx_bf16"}, "float16": {"avx512_fp16", "amx_fp16"}}


def calculates_in(format: str) -> bool | None:
    """Whether the CPU has instructions for one of `INSTRUCTIONS`; None where that is not known, but on x86 Linux."""
    flags = _flags()
    return bool(flags & INSTRUCTIONS[format]) if flags else None


def half_precision_warning(format: str) -> str | None:
    """What to say before models calculate on this CPU in a format that it only imitates, or None."""
    if format not in INSTRUCTIONS or calculates_in(format) is not False:
        return None
    able = [other for other in ("float32", *INSTRUCTIONS) if other == "float32" or calculates_in(other)]
    return f"{format}: this CPU has no instructions for it, and is many times slower than in {' or '.join(able)}"


def _flags() -> set[str]:
    """Those of the first core; none where the system states none."""
    try:
        with CPUINFO.open(encoding="utf-8") as lines:
            return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
    except OSError:
        return set()
