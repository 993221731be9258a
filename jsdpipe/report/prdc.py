"""How a method's assets are distributed beside the true instances: precision, recall, density and coverage; and spread.

Precision and recall are those of Kynkaanniemi et al. (arXiv 1904.06991), density and coverage those of Naeem et al.
(arXiv 2002.09797). The seeds of a prompt are too few for them, so features are normalized by prompt, and the prompts of
a set are taken together.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.spatial.distance import cdist

from jsdpipe.base.errors import UserError
from jsdpipe.config.prompts import Prompt
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.run import Run
from jsdpipe.report.summary import ALL_SETS

NEIGHBORS = 3  # the k of all four
SEEDS = 10  # from which a prompt has a row of its own
NAMES = ("precision", "recall", "density", "coverage")
COLUMNS = ["set", "prompt_id", "prompt", "method", "kind", *NAMES, "spread", "assets", "prompts"]


@dataclass(frozen=True)
class Described:
    """A prompt's true instances (N, D) and a method's assets (M, D) that did not fail, of all its `seeds`.

    Features are the differences from the mean of the instances, over the root mean square of the instances' distances
    from it.
    """

    truth: NDArray[np.float64]
    assets: NDArray[np.float64]
    seeds: int

    @classmethod
    def of(cls, truth: NDArray[np.floating], assets: NDArray[np.floating], seeds: int) -> "Described":
        """Normalize features."""
        mean = truth.mean(axis=0, dtype=np.float64)
        scale = _deviation(truth - mean)
        return cls((truth - mean) / scale, (assets - mean) / scale, seeds)

    @property
    def spread(self) -> float:
        """The root mean square distance of the assets from their mean over that of the instances; NaN of one asset.

        Squares are divided by the number less one, so that it does not depend on the number of seeds.
        """
        if len(self.assets) < 2:
            return math.nan
        found, true = (_deviation(x - x.mean(axis=0), 1) for x in (self.assets, self.truth))
        return found / true


def _deviation(differences: NDArray[np.floating], less: int = 0) -> float:
    return math.sqrt((differences.astype(np.float64) ** 2).sum() / (len(differences) - less))


def prdc(truth: NDArray[np.float64], assets: NDArray[np.float64], failed: int, k: int = NEIGHBORS) -> dict[str, float]:
    """Precision, recall, density and coverage of assets (M, D) beside true instances (N, D).

    A point's neighborhood is the ball that reaches to its `k`th nearest other point of the same sample. Precision is
    the share of assets in a neighborhood of the truth; density the number of these neighborhoods that an asset is in,
    over k; recall the share of the truth in a neighborhood of an asset; coverage the share of the truth's neighborhoods
    with an asset. Assets that `failed` are in no neighborhood. All are NaN if a sample has no `k`th other point.
    """
    if min(len(truth), len(assets)) <= k:
        return dict.fromkeys(NAMES, math.nan)
    between = cdist(truth, assets)
    of_truth, of_assets = (np.sort(cdist(points, points), axis=1)[:, k] for points in (truth, assets))
    inside = between <= of_truth[:, None]
    return {
        "precision": float(inside.any(axis=0).sum() / (len(assets) + failed)),
        "recall": float((between <= of_assets).any(axis=1).mean()),
        "density": float(inside.sum() / (k * (len(assets) + failed))),
        "coverage": float(inside.any(axis=1).mean()),
    }


def described(run: Run) -> dict[tuple[str, str, str], Described]:
    """The features of a run by (method, set, prompt_id); raises `UserError` if a file is missing or broken."""
    found = {}
    for method in run.config.methods:
        for part, prompts in run.prompts.items():
            for prompt in prompts:
                keys = (AssetKey(method, part, prompt.id, seed) for seed in run.config.seeds)
                files = [_load(run.layout.asset(key) / "truth.safetensors") for key in keys]
                truth = files[0]["instances"]
                whole = [file["features"] for file in files if "features" in file]
                assets = np.stack(whole) if whole else np.empty((0, truth.shape[1]))
                found[method, part, prompt.id] = Described.of(truth, assets, len(files))
    return found


def _load(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        raise UserError(f"{path}: missing or broken; rerun the stage `truth`") from None


def distribution(run: Run, features: dict[tuple[str, str, str], Described]) -> pd.DataFrame:
    """A row per set and method, and with `SEEDS` seeds or more per prompt too, with the columns COLUMNS.

    There are as many true instances of a prompt as seeds. `spread` is the mean over the prompts that have one.
    """
    config, rows = run.config, []
    for part, prompts, prompt in _groups(run):
        for method in (*config.contestants, *config.controls):
            of = [features[method, name, each.id] for name, each in prompts]
            truth = np.concatenate([one.truth[: one.seeds] for one in of])
            assets = np.concatenate([one.assets for one in of])
            total = sum(one.seeds for one in of)
            spreads = [one.spread for one in of if not math.isnan(one.spread)]
            rows.append(
                {"set": part, "prompt_id": prompt and prompt.id, "prompt": prompt and prompt.text, "method": method,
                 "kind": config.methods[method].kind, **prdc(truth, assets, total - len(assets)),
                 "spread": float(np.mean(spreads)) if spreads else math.nan, "assets": total, "prompts": len(of)}
            )  # fmt: skip
    texts = dict.fromkeys(("set", "prompt_id", "prompt", "method", "kind"), "string")
    return pd.DataFrame(rows, columns=COLUMNS).astype(texts)


def _groups(run: Run) -> Iterator[tuple[str, Sequence[tuple[str, Prompt]], Prompt | None]]:
    """(set, prompts with their sets, the prompt if it is one alone)."""
    placed = {part: [(part, prompt) for prompt in prompts] for part, prompts in run.prompts.items()}
    for part, prompts in placed.items():
        yield part, prompts, None
        if len(run.config.seeds) >= SEEDS:
            yield from ((part, [one], one[1]) for one in prompts)
    if len(placed) > 1:
        yield ALL_SETS, _flat(placed.values()), None


def _flat(lists: Iterable[list[tuple[str, Prompt]]]) -> list[tuple[str, Prompt]]:
    return [item for one in lists for item in one]


def spreads(features: dict[tuple[str, str, str], Described]) -> pd.Series:
    """Each prompt's spread, indexed by (method, set, prompt_id)."""
    index = pd.MultiIndex.from_tuples(features, names=["method", "set", "prompt_id"])
    return pd.Series([of.spread for of in features.values()], index, name="spread")
