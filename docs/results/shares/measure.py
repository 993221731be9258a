"""Measure the regularizers' share of the gradient for every method: `shares.csv` and `shares.webp`, beside this file.

    python docs/results/shares/measure.py            40 minutes on two cores

A method runs with three kinds of settings, each on the miniature's voxels and on a small hash grid, with the
miniature's prior: "before" has the weights of JSD's public code for all, in the unit of a mean; "controlled" has an
equal share; "published" has the weights and the reduction of the method's own public code. A run is 50 steps of one
prompt, during which the schedules of a recipe go from their beginning to their end.
"""

import csv
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from statistics import quantiles

from jsdpipe.base.validation import validate
from jsdpipe.config.recipe import Recipe
from jsdpipe.config.recipes import load_recipe, merge, read_recipe

FOLDER = Path(__file__).parent
PROMPT, STEPS = "a red mushroom", 50
LABELS = {
    "jsd": "JSD", "sdi": "SDI", "sds": "SDS", "sjc": "SJC", "csd": "CSD", "nfsd": "NFSD", "ism": "ISM", "vsd": "VSD",
    "sim": "SIM", "asd-adversarial": "ASD adversarial", "asd-asynchronous": "ASD asynchronous",
}  # fmt: skip
SCENES, SETTINGS = ("voxels", "hash grid"), ("before", "controlled", "published")
COLUMNS = ("method", "scene", "settings", "step", "share")
SMALL_GRID = {
    "field": {"encoding": {"levels": 8, "log2_table": 12, "growth": 1.5}, "hidden": 16, "occupancy_resolution": 16},
    "cameras": {"size": 32, "samples_per_ray": 64},
}
Run = tuple[str, str, str]


def recipe_of(method: str, scene: str, settings: str) -> Recipe | None:
    """A method's recipe with a kind of settings, on a scene; None if the scene has none of its regularizers."""
    if settings != "published":
        name, small = (f"miniature/{method}", {}) if scene == "voxels" else (f"controlled/{method}", SMALL_GRID)
        return load_recipe(name, merge(small, {"regularizers": {"share": None}} if settings == "before" else {}))
    keys = read_recipe("published/jsdlr" if method == "jsd" else f"published/{method}").keys
    keys["objective"] = {
        key: value for key, value in keys["objective"].items() if key != "adapter"
    }  # on the prior's own
    weights = keys.get("regularizers", {})
    if scene == "voxels":
        small = read_recipe("miniature/jsd").keys
        had = load_recipe("miniature/jsd").field.available_regularizers
        keys |= {"field": small["field"], "cameras": small["cameras"]}
        keys["regularizers"] = {name: weight for name, weight in weights.items() if name in had}
        return validate(Recipe, keys, method) if keys["regularizers"] else None
    if keys["field"]["kind"] != "hash_grid" or not weights:
        return None
    small = merge(SMALL_GRID, {"field": {"encoding": {"progressive": None}}})
    if keys["field"]["background"]["kind"] == "hash_grid":
        small = merge(small, {"field": {"background": {"encoding": {"log2_table": 8}}}})
    return validate(Recipe, merge(keys, small), method)


def measured(run: Run) -> list[dict[str, str | int | float]]:
    """The shares of a run, at the steps in which they were measured."""
    import torch

    from jsdpipe.generation.balance import MEASURE_EVERY
    from jsdpipe.generation.loop import Subject, optimize
    from jsdpipe.prior.prior import load_prior

    torch.set_num_threads(1)
    recipe = recipe_of(*run)
    if recipe is None:
        return []
    (outcome,) = optimize([Subject(PROMPT, ("shares",))], recipe, load_prior("miniature"), lambda _=1: None, STEPS)
    rows = [row for row in outcome.history if row["step"] % MEASURE_EVERY == 0 and "regularizer_share" in row]
    print(*run, outcome.reason or "", flush=True)
    return [dict(zip(COLUMNS, (*run, row["step"], row["regularizer_share"]), strict=True)) for row in rows]


def draw(rows: list[dict[str, str | int | float]]) -> None:
    """Draw medians and quartiles of the shares."""
    import io

    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, scene in zip(panels, SCENES, strict=True):
        for offset, (settings, color, mark) in enumerate(
            zip(SETTINGS, ("#9a9a9a", "#1f5fa8", "#d1603d"), "sod", strict=True), start=-1
        ):
            for place, method in enumerate(LABELS):
                shares = [
                    float(r["share"])
                    for r in rows
                    if (r["method"], r["scene"], r["settings"]) == (method, scene, settings)
                ]
                if len(shares) > 1:
                    low, middle, high = quantiles(shares, n=4, method="inclusive")
                    y = place + 0.22 * offset
                    axes.plot([low, high], [y, y], color=color, lw=1.6)
                    axes.plot([middle], [y], mark, color=color, ms=4.5, label=settings if place == 0 else None)
        axes.set(xscale="log", title=scene, xlabel="regularizers' gradient over the objective's")
        axes.grid(axis="x", color="#dddddd", lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(LABELS)), list(LABELS.values()))
    panels[0].invert_yaxis()
    panels[1].legend(loc="lower left", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130)
    Image.open(buffer).convert("RGB").save(FOLDER / "shares.webp", quality=90, method=6)


def main() -> None:
    """Run all, write the table, draw the figure."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(2) as pool:
        rows = [row for of_run in pool.map(measured, product(LABELS, SCENES, SETTINGS)) for row in of_run]
    with (FOLDER / "shares.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"share": f"{row['share']:.4g}"} for row in rows)
    draw(rows)


if __name__ == "__main__":
    main()
