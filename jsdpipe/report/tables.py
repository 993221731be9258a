"""The tables stage writes `results/<run>/tables/`: each table as CSV (with all digits), Markdown and LaTeX."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from jsdpipe import metrics
from jsdpipe.base.files import atomic_folder
from jsdpipe.metrics import Metric
from jsdpipe.pipeline.run import Run
from jsdpipe.report import prdc, presentation, ranking, responses, separation, truth_tables
from jsdpipe.report.collect import KEY, Results, collect
from jsdpipe.report.costs import COSTS, PROMPT, costs, prompt_costs
from jsdpipe.report.markup import Table, latex, markdown
from jsdpipe.report.summary import compare, per_prompt, summarise
from jsdpipe.report.worth import worth

LAID_OUT: dict[str, Callable[[Run, pd.DataFrame], Table]] = {
    "ranking": ranking.table,
    "separation": separation.table,
    "responses": responses.table,
    "prdc": truth_tables.distribution,
    "worth": truth_tables.worth,
}  # of the questions that not every run asks


@dataclass(frozen=True)
class Tables:
    """A run's numbers: tidy tables, values per prompt, means, comparisons, costs by set and by prompt; by name, those
    of LAID_OUT that the run has; and tables for readers, by name.
    """

    results: Results
    values: pd.DataFrame
    summary: pd.DataFrame
    comparison: pd.DataFrame
    costs: pd.DataFrame
    prompt_costs: pd.DataFrame
    further: dict[str, pd.DataFrame]
    laid_out: dict[str, Table]


def build(run: Run) -> Tables:
    """Collect a run's manifests and make all its tables; raises `UserError` if a manifest is missing."""
    results = collect(run)
    values = per_prompt(run, results)
    summary, comparison, spent = summarise(run, values), compare(run, values), costs(run, results.assets)
    further = examine(run, results, values)
    laid_out = (
        *presentation.summarised(run, results.assets, summary, spent),
        *presentation.paired(run, comparison, spent, (run.config.contestants or list(run.config.methods))[0]),
        *(LAID_OUT[name](run, frame) for name, frame in further.items()),
        presentation.failures(run, results.assets),
        presentation.notes(run, results.assets),
    )
    of_prompts = prompt_costs(run, results.assets)
    by_name = {table.name: table for table in laid_out}
    return Tables(results, values, summary, comparison, spent, of_prompts, further, by_name)


def examine(run: Run, results: Results, values: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of LAID_OUT that the run has."""
    return {
        **({"ranking": ranking.ranking(run, values)} if metrics.ranked(run.config) else {}),
        **({"separation": separation.separation(run, results.assets)} if metrics.separated(run.config) else {}),
        **({"responses": responses.respond(run, values)} if run.config.damages else {}),
        **measure(run, results, values),
    }


def measure(run: Run, results: Results, values: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables `prdc` and `worth`; none without the section `truth`."""
    if run.config.truth is None:
        return {}
    features = prdc.described(run)
    return {
        "prdc": prdc.distribution(run, features),
        "worth": worth(run, results, values, prdc.spreads(features)),
    }


def write(run: Run) -> None:
    """Write the tables of a run, replacing older ones; all its shards must be done."""
    tables = build(run)
    assets = tables.results.assets
    failed, noted = assets[assets["status"] != "ok"], assets[assets["notes"].notna()]
    key = [*KEY, "seed"]

    def rows(shown: Sequence[Metric], frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["metric"].isin([metric.name for metric in shown])]

    summary = tables.summary.join(tables.costs, on=["set", "method"])
    a, b = (tables.costs.add_suffix(f"_{side}") for side in "ab")
    compared = tables.comparison.join(a, on=["set", "a"]).join(b, on=["set", "b"])
    compared = compared[[*tables.comparison, *(f"{cost}_{side}" for cost in COSTS for side in "ab")]]
    config = run.config
    frames = {
        "assets": assets,
        "prompts": tables.results.prompts.join(tables.prompt_costs, on=PROMPT),
        **{group.name: rows(shown, summary) for group, shown in metrics.by_group(config).items()},
        **{name: rows(shown, compared) for name, shown in metrics.compared(config).items()},
        **tables.further,
        "failures": failed[[*key, "failed_at", "reason"]],
        "notes": noted[[*key, "notes"]],
    }
    with atomic_folder(run.layout.tables) as folder:
        assets.to_parquet(folder / "assets.parquet", index=False)
        for name, frame in frames.items():
            frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        for name, table in tables.laid_out.items():
            _write(folder / f"{name}.md", markdown(table))
            _write(folder / f"{name}.tex", latex(table))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
