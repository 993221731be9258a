"""The report stage writes `results/<run>/report/`: HTML pages that can be opened from disk, without a network.

`index.html` is the overview. Its numbers link to `assets.html`, which lists the numbers of every asset, and links to
one page per prompt with pictures, meshes and details. `study.html` does not depend on the assets. Only `timing.html`
and the tables' last column, seconds, differ between runs with the same inputs.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from jsdpipe import metrics
from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic_folder, read_json
from jsdpipe.base.progress import duration, progress
from jsdpipe.pipeline.layout import AssetKey
from jsdpipe.pipeline.run import Run
from jsdpipe.pipeline.timing import timings
from jsdpipe.report import regularizer_shares, style
from jsdpipe.report.contact import sheet_names
from jsdpipe.report.costs import budget
from jsdpipe.report.images import front
from jsdpipe.report.markup import Cell, Table
from jsdpipe.report.presentation import asset_link, family, label, number, paired, unpublished
from jsdpipe.report.similarity_heatmap import Scale
from jsdpipe.report.statistics import FEWEST
from jsdpipe.report.tables import Tables, build

FILES = ("mesh.glb", "turntable.webp")
PICTURED = 6  # prompts per set on the first page: a browser needs a minute or more for T3Bench's 18,000 pictures


def write(run: Run) -> None:
    """Write the report of a run, replacing an older one; its tables, figures and study (if any) must be written."""
    parts = [run.layout.tables, run.layout.figures, *([run.layout.study] if run.config.study else [])]
    for folder in parts:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; write it with `jsdpipe {folder.name} --run {run.folder}`")
    tables, study = build(run), _study(run)
    assets = _assets(run, tables)
    environment = _environment(run, tables)
    with atomic_folder(run.layout.report) as folder:
        for source in (run.layout.run_json, *(file for part in parts for file in part.iterdir())):
            _place(source, folder / source.relative_to(run.folder))
        with progress("report", len(assets)) as advance:
            for asset in assets:
                _place_asset(run, asset, folder)
                advance()

        def page(template: str, path: str, **values: Any) -> None:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            text = environment.get_template(template).render(root="../" * path.count("/"), **values)
            target.write_text(text, encoding="utf-8", newline="\n")

        of_prompt: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for asset in assets:
            of_prompt.setdefault((asset["set"], asset["prompt_id"]), []).append(asset)
        sheets = {part: sheet_names(part, len(prompts)) for part, prompts in run.prompts.items()}
        # with two contestants, the second one's table would only have the opposite signs
        contestants = run.config.contestants
        methods = contestants[1:] if len(contestants) > 2 else []
        others = {method: paired(run, tables.comparison, tables.costs, method) for method in methods}
        shares = (run.layout.figures / f"{regularizer_shares.NAME}.svg").is_file()
        index = {"assets": assets, "sheets": sheets, "provenance": _provenance(run), "study": study, "others": others}
        page("index.html.j2", "index.html", of_prompt=of_prompt, pictured=PICTURED, shares=shares, **index)
        page("assets.html.j2", "assets.html", of_prompt=of_prompt)
        if study:
            page("study.html.j2", "study.html", sections=study)
        jobs = timings(run)
        by_method = {method: sum(timing.seconds[method] for timing in jobs) for method in run.config.methods}
        page("timing.html.j2", "timing.html", timings=jobs, by_method=by_method, duration=duration)
        for part, prompts in run.prompts.items():
            for number, prompt in enumerate(prompts):
                neighbors = (prompts[number - 1] if number else None, next(iter(prompts[number + 1 :]), None))
                values = {"set": part, "prompt": prompt, "neighbors": neighbors, "of_prompt": of_prompt}
                page("prompt.html.j2", f"prompts/{part}/{prompt.id}.html", **values)


def _study(run: Run) -> list[dict[str, Any]]:
    """The study's sections: name, heading, text, figures (file, title, caption), and a `Table`; empty if none."""
    if run.config.study is None:
        return []
    sections: list[dict[str, Any]] = read_json(run.layout.study / "study.json")
    return [{**section, "table": _study_table(section["table"])} for section in sections]


def _study_table(raw: dict[str, Any]) -> Table:
    rows = tuple(tuple(Cell(**cell) for cell in row) for row in raw["rows"])
    return Table(raw["name"], raw["caption"], tuple(raw["header"]), raw["labels"], rows)


def _environment(run: Run, tables: Tables) -> jinja2.Environment:
    groups = metrics.by_group(run.config)
    # the metric below each picture: the last one of the first group, such as the average
    headline = next((shown[-1] for shown in groups.values() if shown[-1].per == "asset"), None)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # prompts, captions and names are data
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        run=run,
        config=run.config,
        methods={name: (label(run, name), style.color(run, name)) for name in run.config.methods},
        families={name: family(run, name) for name in run.config.methods},
        unpublished=unpublished(run),
        budget=budget(run),
        tables=tables.laid_out,
        title=run.config.report.title or run.config.run,
        metrics=metrics.of_run(run.config),
        groups=groups,
        comparisons=metrics.compared(run.config),
        headline=headline,
        cosine=metrics.METRICS["cosine"],
        fewest=FEWEST,
        values=_values(tables),
        steps=tables.results.assets.groupby("method")["steps"].max().to_dict(),
        costs=tables.prompt_costs.to_dict("index"),
        similarities=tables.results.similarities,
        scale=Scale.of(tables.results.similarities.values()),
    )
    environment.tests["known"] = pd.notna
    environment.filters["number"] = number
    return environment


def _assets(run: Run, tables: Tables) -> list[dict[str, Any]]:
    """The assets' rows, with links to their places in the report and the folders of their pictures."""
    return [
        row
        | {
            "failed": row["status"] == "failed",
            "link": asset_link(row["set"], row["prompt_id"], row["method"], row["seed"]),
            "folder": run.layout.asset(AssetKey(row["method"], row["set"], row["prompt_id"], row["seed"]))
            .relative_to(run.folder)
            .as_posix(),
        }
        for row in tables.results.assets.to_dict("records")
    ]


def _values(tables: Tables) -> dict[tuple[str, str, str], dict[str, float]]:
    """The metrics' values by (method, set, prompt_id), averaged over seeds."""
    return tables.values.to_dict("index")


def _place_asset(run: Run, asset: dict[str, Any], report: Path) -> None:
    source, target = run.folder / asset["folder"], report / asset["folder"]
    pictured = FILES + (("preview.png",) if asset["method"] in run.recipes else ())  # volume renders
    asset["files"] = [*(() if asset["failed"] else pictured), *sorted(path.name for path in source.glob("*.json"))]
    for name in asset["files"]:
        if not (source / name).is_file():
            raise UserError(f"{source / name}: no such file; rerun the stages of this asset")
        _place(source / name, target / name)
    if not asset["failed"]:
        # WebP as the turntable; a PNG takes ten times as long
        front(source).save(target / "front.webp", quality=90, method=0)


def _place(source: Path, target: Path) -> None:
    """Make a hard link, because meshes are large and a run's files are only replaced as a whole; else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _provenance(run: Run) -> list[dict[str, Any]]:
    """The distinct provenances in the manifests, usually one, each with its stages, models by role and protocols."""
    makings: dict[str, dict[str, Any]] = {}
    for stage in run.config.stages:
        for shard in run.shards():
            making = dict(read_json(run.layout.manifest(stage, shard))["provenance"])
            making.pop("code", None)  # it differs between stages
            accepted = making.pop("accepted", {})
            models, protocol = making.pop("models"), making.pop("protocol_version", None)  # only scores have one
            shared = {**making, "stages": {}, "models": {}, "protocols": {}, "accepted": {}}
            known = makings.setdefault(json.dumps(making, sort_keys=True), shared)
            known["stages"][stage] = None  # a dict as an ordered set
            known["accepted"] |= dict.fromkeys(accepted)
            known["protocols"] |= {} if protocol is None else {protocol: None}
            for role, model in models.items():
                known["models"].setdefault(role, {})[model] = None
    return list(makings.values())
