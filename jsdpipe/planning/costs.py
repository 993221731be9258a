"""What generation will cost: known before it starts from the machine's own bench, or from the operations of U-Nets."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsdpipe.base.device import available_device
from jsdpipe.base.progress import duration
from jsdpipe.bench import FOLDER, NUMBERS
from jsdpipe.bench.generation import HERE, device_name, digest
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.run_config import RunConfig
from jsdpipe.generation.budget import steps_within
from jsdpipe.generation.unet_work import unet_work
from jsdpipe.model_files.facts import MOVED, PRIORS
from jsdpipe.pipeline.run import Run

BENCH = FOLDER / NUMBERS
GPU = 1e14  # operations a second, a third of an A100's peak in half precision


@dataclass(frozen=True)
class Cost:
    """What a method takes.

    Args:
        samples: of an asset, in forward passes through U-Nets.
        operations: of an asset, of all passes; None if the prior's are not known.
        seconds: of an asset in its job.
        assets: of the method.
        in_job: assets of its largest job.
        memory: bytes of a job, if a bench measured it.
    """

    method: str
    samples: float
    operations: float | None
    seconds: float
    assets: int
    in_job: int
    memory: int | None = None


def costs(run: Run) -> list[Cost]:
    """The costs of a run's methods with a recipe, as far as they are known: by a bench, or on a GPU by operations."""
    config, bench = run.config, _bench()
    if config.prior is None:
        return []
    facts = PRIORS.get(MOVED.get(config.prior.model, config.prior.model))
    jobs: dict[str, list[int]] = {method: [] for method in config.methods}
    for shard in run.shards():
        jobs[shard.method].append(len(list(shard.assets())))
    found = []
    for method, recipe in run.recipes.items():
        budget, work = config.generation.unet_samples, unet_work(recipe)
        steps = steps_within(budget, recipe) if budget else recipe.steps
        samples = steps * work.forward
        passes = steps * (work.forward + work.backward)
        operations = passes * facts.operations if facts and facts.operations else None
        measured = _measured(bench, config, recipe)
        if measured:
            seconds, memory = steps * measured["way"]["processes"] / measured["steps"], measured["memory"]
        elif operations and config.need("generate").gpu:
            seconds, memory = operations / GPU, None
        else:
            continue
        found.append(Cost(method, samples, operations, seconds, sum(jobs[method]), max(jobs[method]), memory))
    return found


def rows(found: list[Cost], unit: str) -> list[tuple[str, ...]]:
    """A table of costs, at its end the whole in hours of a unit, such as "GPU"."""
    table = [("method", "U-Net samples", "PFLOP", "an asset", "a job", "all assets")]
    for cost in found:
        table.append((
            cost.method,
            f"{cost.samples:,.0f}",
            "" if cost.operations is None else f"{cost.operations / 1e15:,.0f}",
            duration(cost.seconds),
            f"{duration(cost.seconds * cost.in_job)} for {cost.in_job}",
            f"{duration(cost.seconds * cost.assets)} for {cost.assets:,}",
        ))  # fmt: skip
    whole = sum(cost.seconds * cost.assets for cost in found)
    return [*table, ("in all", "", "", "", "", f"{whole / 3600:,.1f} {unit} hours")]


def warnings(run: Run, found: list[Cost]) -> Iterator[str]:
    """Lines on jobs that take longer than their `runtime`, or more memory than they ask for."""
    need = run.config.need("generate")
    for cost in found:
        if (seconds := cost.seconds * cost.in_job) > 60 * need.runtime:
            yield (
                f"resources.generate.runtime: {duration(60 * need.runtime)}, but a job of {cost.in_job} assets of "
                f"{cost.method} takes {duration(seconds)}; raise it, or lower generation.shard_assets"
            )
        if not need.gpu and cost.memory and cost.memory > 1e6 * need.mem_mb:
            yield (
                f"resources.generate.mem_mb: {need.mem_mb:,}, but a job of {cost.method} takes "
                f"{cost.memory / 1e6:,.0f} MB; raise it, or lower generation.batch_assets"
            )


def source(found: list[Cost]) -> str:
    """Where the figures come from, as a line."""
    if any(cost.memory for cost in found):
        return f"generation, by this machine's bench ({BENCH}):"
    return f"generation, at {GPU / 1e12:.0f} TFLOP/s, without rendering; `jsdpipe bench generate` on a GPU measures it:"


def _bench() -> dict[str, Any]:
    try:
        bench: dict[str, Any] = json.loads(BENCH.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return bench if bench.get("device") == device_name(available_device()) else {}


def _measured(bench: dict[str, Any], config: RunConfig, recipe: Recipe) -> dict[str, Any] | None:
    """What this device's bench says of a recipe with this prior, in as large batches; None if it says nothing."""
    assert config.prior is not None
    wanted = digest(recipe)
    for name, mark in bench.get("recipes", {}).items():
        speed: dict[str, Any] = bench["methods"][name][HERE]
        same = (speed["way"]["assets"], speed["way"]["dtype"]) == (config.generation.batch_assets, config.prior.dtype)
        if mark == wanted and bench["prior"] == config.prior.model and same:
            return speed
    return None
