"""What this machine has, and which recipes run on it."""

import os
import platform
from pathlib import Path

import torch
from rich.filesize import decimal

from jsdpipe.base.columns import columns
from jsdpipe.base.cpu import INSTRUCTIONS, calculates_in
from jsdpipe.base.device import UNUSABLE, available_device, is_accelerator, load_triton
from jsdpipe.base.errors import UserError
from jsdpipe.base.schedules import size_at
from jsdpipe.config.recipes import load_recipe, names
from jsdpipe.config.run_config import read_config
from jsdpipe.model_files.facts import PRIORS
from jsdpipe.planning.needed_models import Needed, needed, prior

DEMO = "config.yaml"  # what `make demo` runs, in the working directory


def report() -> str:
    """The text that `jsdpipe doctor` prints."""
    device = available_device()
    priors = {model: prior(model) for model in PRIORS}
    parts = [
        columns(_machine(device)),
        f"make demo: {_demo()}",
        "Recipes, with the priors that they are made for:",
        columns(_recipes(priors, device)),
        *(_about(found) for found in priors.values() if PRIORS[found.name].download),
    ]
    return "\n\n".join(parts)


def _machine(device: str) -> list[tuple[str, str]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cuda = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    return [
        ("Python", platform.python_version()),
        ("system", platform.platform()),
        ("CPU", f"{cores} cores, {decimal(memory)} of memory"),
        ("PyTorch", f"{torch.__version__}, {cuda}"),
        *(("GPU", gpu) for gpu in _gpus(device)),
        *((format, _format(format, device)) for format in INSTRUCTIONS),
        ("Triton", _triton(device)),
    ]


def _format(name: str, device: str) -> str:
    if is_accelerator(device):
        return "yes"
    return {True: "yes", False: "no: only emulated, many times slower", None: "unknown"}[calculates_in(name)]


def _gpus(device: str) -> list[str]:
    if device == "cpu":
        return ["none that PyTorch can use"]
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [f"{gpu.name}, {decimal(gpu.total_memory)} of memory" for gpu in found]


def _triton(device: str) -> str:
    if device == "cpu":
        return "not used, because there is no GPU"
    try:
        load_triton()
    except UNUSABLE as error:
        return f"does not work ({error}): hash grids run in plain PyTorch; it needs a C compiler"
    return "present"


def _demo() -> str:
    try:
        found = needed(read_config(Path(DEMO), DEMO), DEMO)
    except UserError as error:
        return f"no: {error}"
    missing = [model.name for model in found if model.mends]
    return f"no: {', '.join(missing)} missing; see `jsdpipe models check {DEMO}`" if missing else "yes"


def _recipes(priors: dict[str, Needed], device: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("recipe", "scene", "pixels", "steps", "prior", "runs here")]
    for name in names():
        recipe = load_recipe(name)
        pixels = size_at(recipe.cameras.size, recipe.steps - 1)
        runs = _runs(priors[recipe.prior], device)
        rows.append((name, recipe.field.kind, str(pixels), str(recipe.steps), recipe.prior, runs))
    return rows


def _runs(found: Needed, device: str) -> str:
    # The package's own prior is small enough for a CPU.
    slowly = "slowly, without a GPU" if PRIORS[found.name].download and device == "cpu" else ""
    if found.mends:
        return "not yet: prior missing" + (f"; then {slowly}" if slowly else "")
    return slowly or "yes"


def _about(found: Needed) -> str:
    """License, size and download of a prior that is not the package's own."""
    size = f"{found.amount} of files; in float16 its weights take half of that on a GPU, and a run takes more"
    return "\n  ".join([f"{found.name}: license {found.license}, {size}", *found.mends])
