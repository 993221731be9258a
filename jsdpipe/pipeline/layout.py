"""Where every file of a run lives (the only place that builds such paths), and how its assets make up shards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jsdpipe.config.prompts import Prompt


class AssetKey(NamedTuple):
    """What names an asset of a run."""

    method: str
    set: str
    prompt_id: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method}/{self.set}/{self.prompt_id}/seed{self.seed}"


@dataclass(frozen=True)
class Shard:
    """Consecutive prompts of one method and set, with all their seeds: what one job of a stage works on."""

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
        """Every (prompt, seed), the seeds of a prompt together."""
        return ((prompt, seed) for prompt in self.prompts for seed in self.seeds)


def shards(
    methods: Sequence[str], prompts: Mapping[str, Sequence[Prompt]], seeds: Sequence[int], shard_assets: int
) -> list[Shard]:
    """The shards of all methods and sets: `max(1, shard_assets // len(seeds))` prompts each."""
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
    """The folder of an asset that was made by hand, outside of any run, with the recipe of this name or path."""
    return Path("results/by-hand") / prompt_id / Path(recipe).stem / f"seed{seed}"


@dataclass(frozen=True)
class Layout:
    """The paths of a run below its folder; a `shard` is given as such or by its name."""

    folder: Path

    @property
    def run_json(self) -> Path:
        """The resolved configuration."""
        return self.folder / "run.json"

    def manifest(self, stage: str, shard: Shard | str) -> Path:
        """What a stage says of a shard's assets; written last."""
        return self.folder / stage / f"{_name(shard)}.json"

    def asset(self, key: AssetKey) -> Path:
        """The folder of an asset."""
        return self.folder / "assets" / str(key)

    def metric(self, name: str, key: AssetKey, of_prompt: bool = False) -> Path:
        """The file with a metric's value of an asset, or of all assets of its prompt together."""
        folder = self.asset(key).parent if of_prompt else self.asset(key)
        return folder / "metrics" / f"{name}.json"

    def external(self, key: AssetKey) -> Path:
        """The folder of what an external method's command has made of an asset."""
        return self.asset(key) / "external"

    def views(self, shard: Shard | str, prompt_id: str, seed: int) -> Path:
        """The zip of an asset's rendered views; in a folder a shard, which the workflow deletes after the scores."""
        return self.views_folder(shard) / prompt_id / f"seed{seed}.zip"

    def views_folder(self, shard: Shard | str) -> Path:
        """The folder of all views of a shard."""
        return self.folder / "views" / _name(shard)

    def log(self, stage: str, shard: Shard | str = "") -> Path:
        """The log of a stage's job; without a shard, of a stage that has none."""
        return self.folder / "logs" / stage / f"{_name(shard)}.log" if shard else self.folder / "logs" / f"{stage}.log"

    def benchmark(self, stage: str, shard: Shard | str = "") -> Path:
        """Snakemake's benchmark file (time, memory) of a stage's job."""
        folder = self.folder / "benchmarks"
        return folder / stage / f"{_name(shard)}.tsv" if shard else folder / f"{stage}.tsv"

    def code(self, of: str) -> Path:
        """What is behind a hash of code; or of which one a stage without shards was made."""
        return self.folder / "code" / f"{of}.json"

    @property
    def accepted(self) -> Path:
        """Which code stands for which, by `jsdpipe accept`."""
        return self.folder / "accepted.json"

    @property
    def judge_calls(self) -> Path:
        """How often the run has called a judge that costs money."""
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
