"""What every table of scores says of a method beside its scores: its family, and what an asset costs."""

import pandas as pd

from jsdpipe.pipeline.run import Run
from jsdpipe.pipeline.timing import generation_times
from jsdpipe.report.summary import ALL_SETS

# `seconds` last: they alone differ between runs with the same inputs
COSTS = {"family": "string", "unet_samples": "float64", "seconds": "float64"}


def costs(run: Run, assets: pd.DataFrame) -> pd.DataFrame:
    """A row per set and method with the columns COSTS, indexed by (set, method); "all sets" is a set here.

    `unet_samples` and `seconds` are means over assets. They are NaN where they are not known: the samples of external
    methods, the seconds of meshes that were only found, and of jobs that Snakemake did not time.
    """
    times = generation_times(run)
    rows = []
    for part in (*run.config.sets, ALL_SETS):
        parts = tuple(run.config.sets) if part == ALL_SETS else (part,)
        for method in run.config.methods:
            of_method = assets[(assets["method"] == method) & assets["set"].isin(parts)]
            timed = [times[each, method] for each in parts if (each, method) in times]
            seconds, count = (sum(each) for each in zip(*timed, strict=True)) if timed else (None, 1)
            samples = of_method["unet_samples"].astype("float64").mean()
            rows.append((part, method, family(run, method), samples, seconds and seconds / count))
    return pd.DataFrame(rows, columns=["set", "method", *COSTS]).astype(COSTS).set_index(["set", "method"])


def family(run: Run, method: str) -> str | None:
    """A method's family, with an asterisk if a part of its public configuration is lacking; None without a recipe."""
    found = run.config.methods[method].family
    return f"{found}*" if found == "published" and run.recipes[method].unpublished else found


def budget(run: Run) -> str:
    """How much each method of the run was given, as the end of a sentence; "" if none follows a recipe."""
    if not run.recipes:
        return ""
    if (samples := run.config.generation.unet_samples) is not None:
        return f"at equal U-Net samples ({samples:,} an asset)"
    views = {recipe.steps * recipe.views_per_step for recipe in run.recipes.values()}
    return f"at equal views ({views.pop():,} an asset)" if len(views) == 1 else "at the views of their recipes"
