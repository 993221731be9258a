"""The cost of generation: a run's batches beside the plain way, one asset at a time in float32, as public codes do it.

Both ways run the same loop on the same machine, one after the other; ratios are the result.
"""

import hashlib
import multiprocessing
import os
import resource
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import torch

from jsdpipe.base.cpu import cpu_name
from jsdpipe.base.device import available_device, is_accelerator
from jsdpipe.base.errors import UserError
from jsdpipe.base.progress import progress, unseen
from jsdpipe.base.stopwatch import PARTS, REST, measured
from jsdpipe.base.validation import at
from jsdpipe.bench.roofline import Need, Peak, counter, measure_peak, unet_need
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.run_config import Prior as PriorSettings
from jsdpipe.config.run_config import RunConfig
from jsdpipe.generation.loop import Subject, optimize
from jsdpipe.prior.prior import Prior, load_prior

PROMPT = "a red mug"
COUNTED = 4  # steps, spread over the run, whose operations are counted
PLAIN, HERE = "plain", "here"


@dataclass(frozen=True)
class Way:
    """How assets are made: in how many processes at once, each with so many threads, and assets side by side."""

    name: str
    processes: int
    threads: int
    assets: int
    dtype: str


@dataclass(frozen=True)
class Speed:
    """What a way takes for one recipe.

    Args:
        steps: a second, of all assets of all processes.
        samples: that go through U-Nets, a second.
        samples_a_step: of one asset.
        parts: shares of the time, by the names of `PARTS` and `rest`.
        memory: bytes at the peak, of one process: of the GPU, or on a CPU of the process.
        share_of_peak: of the device's matrix peak, by the matrix operations of a step.
        unet_gap: how many times as long the U-Net takes as its operations or bytes must; None if it is not used.
    """

    way: Way
    steps: float
    samples: float
    samples_a_step: float
    parts: dict[str, float]
    memory: int
    share_of_peak: float
    unet_gap: float | None


@dataclass(frozen=True)
class Costs:
    """Speeds by method, the plain way's first, of these recipes (digests) and prior, and what the device could do."""

    device: str
    threads: int
    prior: str
    recipes: dict[str, str]
    peaks: dict[str, Peak]
    speeds: dict[str, tuple[Speed, Speed]]

    def rows(self) -> list[Sequence[str]]:
        """A table: what each method's step of an asset takes, in both ways, and their ratio."""
        head = ("method", "way", "processes x threads x assets", "ms a step", "ratio", "samples/s", "of peak", "U-Net")
        rows: list[Sequence[str]] = [(*head, "memory", *PARTS, REST)]
        for method, (plain, here) in self.speeds.items():
            for speed in (plain, here):
                way = speed.way
                rows.append((
                    method,
                    way.name,
                    f"{way.processes} x {way.threads} x {way.assets}",
                    f"{1000 / speed.steps:.1f}",
                    f"{speed.steps / plain.steps:.2f}",
                    f"{speed.samples:.1f}",
                    f"{speed.share_of_peak:.0%}",
                    "" if speed.unet_gap is None else f"{speed.unet_gap:.1f} x least",
                    f"{speed.memory / 2**30:.2f} GiB",
                    *(f"{speed.parts[part]:.0%}" for part in (*PARTS, REST)),
                ))  # fmt: skip
        return rows

    def as_json(self) -> dict[str, Any]:
        """All numbers, for a file."""
        return {
            "device": self.device,
            "threads": self.threads,
            "torch": torch.__version__,
            "prior": self.prior,
            "recipes": self.recipes,
            "peaks": {dtype: asdict(peak) for dtype, peak in self.peaks.items()},
            "methods": {
                method: {speed.way.name: asdict(speed) for speed in both} for method, both in self.speeds.items()
            },
        }


def generate(config: RunConfig, recipes: dict[str, Recipe], steps: int) -> Costs:
    """Time a configuration's recipes on its prior, both ways, for `steps` steps spread over each recipe's run.

    `UserError` if a scene does not fit the prior, or the prior cannot be loaded.
    """
    assert config.prior is not None
    device, cores = available_device(), len(os.sched_getaffinity(0))
    dtype: str = config.prior.dtype
    if is_accelerator(device):
        plain = [Way(PLAIN, 1, 1, 1, "float32")]
        here = Way(HERE, 1, 1, config.generation.batch_assets, dtype)
    else:
        threads = min(config.need("generate").threads, cores)
        spread = {Way(PLAIN, cores, 1, 1, "float32"), Way(PLAIN, 1, cores, 1, "float32")}
        plain = sorted(spread, key=lambda way: way.threads)
        here = Way(HERE, cores // threads, threads, config.generation.batch_assets, dtype)
    torch.set_num_threads(cores)
    prior = load_prior(config.prior.model, config.prior.revision, getattr(torch, dtype), device)
    peaks = {name: measure_peak(device, getattr(torch, name)) for name in {"float32", dtype}}
    speeds = {}
    with progress("bench", len(recipes) * (len(plain) + 2)) as advance:
        for method, recipe in recipes.items():
            others = _operations_outside_unets(recipe, prior)
            advance(note=method)
            timed = []
            for way in (*plain, here):
                with at(f"methods.{method}"):
                    found = _time(way, recipe, config.prior, steps)
                timed.append(_speed(way, found, steps, others, peaks[way.dtype], prior))
                advance(note=method)
            *of_plain, of_here = timed
            speeds[method] = (max(of_plain, key=lambda speed: speed.steps), of_here)
    digests = {method: digest(recipe) for method, recipe in recipes.items()}
    return Costs(device_name(device), cores, config.prior.model, digests, peaks, speeds)


def digest(recipe: Recipe) -> str:
    """The SHA-256 of a recipe's settings."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def _operations_outside_unets(recipe: Recipe, prior: Prior) -> float:
    """Matrix operations of one asset's step, without those of U-Nets."""
    before = prior.unet_samples
    with counter() as operations:
        optimize([Subject(PROMPT, ("bench",))], recipe, prior, unseen, COUNTED)
    samples = prior.unet_samples - before
    return max(operations.get_total_flops() - samples * unet_need(prior, 1).operations, 0) / COUNTED


@dataclass(frozen=True)
class _Measured:
    """What one process found, of the steps that it timed."""

    seconds: float
    samples: int
    calls: int
    parts: dict[str, float]
    memory: int


def _time(way: Way, recipe: Recipe, settings: PriorSettings, steps: int) -> list[_Measured]:
    """Run a way's processes at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(way.processes)
    with ProcessPoolExecutor(way.processes, context, initializer=_prepare, initargs=(barrier,)) as pool:
        work = [pool.submit(_work, way, number, recipe, settings, steps) for number in range(way.processes)]
        return [one.result() for one in work]


_barrier: Barrier | None = None


def _prepare(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _work(way: Way, number: int, recipe: Recipe, settings: PriorSettings, steps: int) -> _Measured:
    """Time `steps` steps after one that warms up, all processes at the same time."""
    assert _barrier is not None
    device = available_device()
    torch.set_num_threads(way.threads)
    prior = load_prior(settings.model, settings.revision, getattr(torch, way.dtype), device)
    subjects = [Subject(PROMPT, ("bench", number, asset)) for asset in range(way.assets)]
    _barrier.wait()
    before = None

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal before
        if before is None:
            watch.restart()
            before = prior.unet_samples

    with measured(device) as watch:
        outcomes = optimize(subjects, recipe, prior, advance, steps + 1)
    if reason := next((outcome.reason for outcome in outcomes if outcome.reason), None):
        raise UserError(f"failed: {reason}")
    samples = prior.unet_samples - (before or 0)
    return _Measured(watch.total, samples, watch.begun["U-Net"], watch.seconds, _peak_memory(device))


def _peak_memory(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _speed(way: Way, found: list[_Measured], steps: int, others: float, peak: Peak, prior: Prior) -> Speed:
    """Put the measurements of a way's processes together; `others`: operations of an asset's step outside U-Nets."""
    seconds = max(one.seconds for one in found)
    asset_steps = way.processes * way.assets * steps
    samples, calls = sum(one.samples for one in found), sum(one.calls for one in found)
    parts = {name: sum(one.parts[name] for one in found) for name in (*PARTS, REST)}
    share = {name: value / sum(parts.values()) for name, value in parts.items()}
    call = unet_need(prior, round(samples / calls)) if calls else Need(0, 0)
    unet = Need(calls * call.operations, calls * call.bytes)
    return Speed(
        way=way,
        steps=asset_steps / seconds,
        samples=samples / seconds,
        samples_a_step=samples / asset_steps,
        parts=share,
        memory=max(one.memory for one in found),
        share_of_peak=(unet.operations + asset_steps * others) / seconds / peak.operations,
        unet_gap=share["U-Net"] * seconds / peak.least_seconds(unet) if calls else None,
    )


def device_name(device: str) -> str:
    """The model of the GPU or CPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return cpu_name()
