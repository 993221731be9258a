"""The study's page: what `study.json` says, with its tables as the report lays them out."""

from typing import Any

from jsdpipe.base.files import read_json
from jsdpipe.pipeline.run import Run
from jsdpipe.report.markup import Cell, Table


def read_study(run: Run) -> list[dict[str, Any]]:
    """The study's sections: name, heading, text, figures (file, title, caption), and a `Table`; none of no study."""
    if run.config.study is None:
        return []
    sections: list[dict[str, Any]] = read_json(run.layout.study / "study.json")
    return [{**section, "table": _table(section["table"])} for section in sections]


def _table(raw: dict[str, Any]) -> Table:
    rows = tuple(tuple(Cell(**cell) for cell in row) for row in raw["rows"])
    return Table(raw["name"], raw["caption"], tuple(raw["header"]), raw["labels"], rows)
