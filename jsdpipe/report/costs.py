"""What every table of scores says of a method beside its scores: its family, and what an asset costs."""

import math

import pandas as pd

from jsdpipe.pipeline.run import Run
from jsdpipe.pipeline.timing import seconds_per_asset
from jsdpipe.report.summary import ALL_SETS

# `seconds` last: they alone differ between runs with the same inputs
MEANS = ["unet_samples", "seconds"]
COSTS = ["family", *MEANS]
PROMPT = ["method", "set", "prompt_id"]


def costs(run: Run, assets: pd.DataFrame) -> pd.DataFrame:
    """A row per set and method with the columns COSTS, indexed by (set, method); "all sets" is a set here.

    `unet_samples` are means over the assets whose generation did not fail, `seconds` over all of the timed jobs. They
    are NaN where they are not known: the samples of methods without recipes, the seconds of meshes that were not made,
    and of jobs that Snakemake did not time.
    """
    spent = _spent(run, assets)
    means = pd.concat([spent, spent.assign(set=ALL_SETS)]).groupby(["set", "method"], sort=False)[MEANS].mean()
    families = [run.config.methods[method].family for _, method in means.index]
    return means.assign(family=pd.array(families, dtype="string"))[COSTS]


def prompt_costs(run: Run, assets: pd.DataFrame) -> pd.DataFrame:
    """The means `unet_samples` and `seconds` over the assets of a prompt, indexed by (method, set, prompt_id)."""
    return _spent(run, assets).groupby(PROMPT, sort=False)[MEANS].mean()


def _spent(run: Run, assets: pd.DataFrame) -> pd.DataFrame:
    seconds = seconds_per_asset(run)
    samples = assets["unet_samples"].astype("float64").where(assets["failed_at"].fillna("") != "generate")
    keys = assets[PROMPT].itertuples(index=False, name=None)
    return assets[PROMPT].assign(unet_samples=samples, seconds=[seconds.get(key, math.nan) for key in keys])


def budget(run: Run) -> str:
    """A sentence on how much the methods with recipes were given; "" if there is nothing to compare."""
    if len(run.recipes) < 2:
        return ""
    if (samples := run.config.generation.unet_samples) is not None:
        return f"Recipes are compared at equal U-Net samples ({samples:,} an asset)."
    views = {recipe.steps * recipe.views_per_step for recipe in run.recipes.values()}
    given = f"at equal views ({views.pop():,} an asset)" if len(views) == 1 else "at their own numbers of views"
    return f"Recipes are compared {given}."
