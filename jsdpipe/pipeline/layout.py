"""The paths of a run's files (built only here), and the division of its assets into shards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jsdpipe.config.prompts import Prompt


class AssetKey(NamedTuple):
    """The key of an asset in a run."""

    method: str
    set: str
    prompt_id: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method}/{self.set}/{self.prompt_id}/seed{self.seed}"


@dataclass(frozen=True)
class Shard:
    """The work of one job of a stage: consecutive prompts of one method and set, with all their seeds."""

    method: str
    set: str
    index: int
    prompts: tuple[Prompt, ...]
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        """E.g. "jsd/single/000"."""
        return f"{self.method}/{self.set}/{self.index:03d}"

    def key(self, prompt_id: str, seed: int) -> AssetKey:
        """The key of one of its assets."""
        return AssetKey(self.method, self.set, prompt_id, seed)

    def asset_keys(self) -> Iterator[AssetKey]:
        """The keys of `assets()`, in that order."""
        return (self.key(prompt.id, seed) for prompt, seed in self.assets())

    def assets(self) -> Iterator[tuple[Prompt, int]]:
        """All (prompt, seed) pairs, ordered by prompt, then seed."""
        return ((prompt, seed) for prompt in self.prompts for seed in self.seeds)


def shards(
    methods: Sequence[str], prompts: Mapping[str, Sequence[Prompt]], seeds: Sequence[int], shard_assets: int
) -> list[Shard]:
    """The shards of all methods and sets, each with at most `max(1, shard_assets // len(seeds))` prompts."""
    size = max(1, shard_assets // len(seeds))
    return [
        Shard(method, name, index, chunk, tuple(seeds))
        for method in methods
        for name, of_set in prompts.items()
        for index, chunk in enumerate(_chunks(of_set, size))
    ]


def _chunks(prompts: Sequence[Prompt], size: int) -> Iterator[tuple[Prompt, ...]]:
    return (tuple(prompts[start : start + size]) for start in range(0, len(prompts), size))


def of_run(name: str) -> Path:
    """The folder of the run of that name."""
    return Path("results") / name


def by_hand(prompt_id: str, recipe: str, seed: int) -> Path:
    """The folder of an asset that `jsdpipe make` makes outside a run; `recipe` is its name in one word."""
    return Path("results/by-hand") / prompt_id / recipe / f"seed{seed}"


@dataclass(frozen=True)
class Layout:
    """The paths in a run's folder; a `shard` may be given by its name."""

    folder: Path

    @property
    def run_json(self) -> Path:
        """The resolved configuration."""
        return self.folder / "run.json"

    def manifest(self, stage: str, shard: Shard | str) -> Path:
        """The manifest of a stage and shard; a job writes it last."""
        return self.folder / stage / f"{_name(shard)}.json"

    def asset(self, key: AssetKey) -> Path:
        """The folder of an asset."""
        return self.folder / "assets" / str(key)

    def metric(self, name: str, key: AssetKey, of_prompt: bool = False) -> Path:
        """The file with a metric's value for an asset, or for all assets of its prompt."""
        folder = self.asset(key).parent if of_prompt else self.asset(key)
        return folder / "metrics" / f"{name}.json"

    def external(self, key: AssetKey) -> Path:
        """The folder in which an external method's command writes an asset's mesh."""
        return self.asset(key) / "external"

    def views(self, shard: Shard | str, prompt_id: str, seed: int) -> Path:
        """The zip of an asset's rendered views, in the shard's folder, which the workflow deletes after scoring."""
        return self.views_folder(shard) / prompt_id / f"seed{seed}.zip"

    def views_folder(self, shard: Shard | str) -> Path:
        """The folder of all views of a shard."""
        return self.folder / "views" / _name(shard)

    def log(self, stage: str, shard: Shard | str = "") -> Path:
        """The log of a job by its first stage; stages of the whole run have no shard."""
        return self.folder / "logs" / stage / f"{_name(shard)}.log" if shard else self.folder / "logs" / f"{stage}.log"

    def benchmark(self, stage: str, shard: Shard | str = "") -> Path:
        """Snakemake's benchmark file (time, memory) of a job by its first stage."""
        folder = self.folder / "benchmarks"
        return folder / stage / f"{_name(shard)}.tsv" if shard else folder / f"{stage}.tsv"

    def code(self, name: str) -> Path:
        """The modules behind a code hash; or, for the name of a stage without shards, the hashes of its results."""
        return self.folder / "code" / f"{name}.json"

    @property
    def accepted(self) -> Path:
        """The code changes that `jsdpipe accept` has recorded as harmless."""
        return self.folder / "accepted.json"

    @property
    def judge_calls(self) -> Path:
        """The number of the run's calls of a paid judge."""
        return self.folder / "judge-calls.json"

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def study(self) -> Path:
        return self.folder / "study"

    @property
    def report(self) -> Path:
        return self.folder / "report"


def _name(shard: Shard | str) -> str:
    return shard if isinstance(shard, str) else shard.name
