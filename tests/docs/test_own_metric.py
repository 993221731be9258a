"""The page on a metric of one's own, done as it says, up to tables, figures and report."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
import yaml

from jsdpipe.config.run_config import resolve
from jsdpipe.generation.external import collect
from jsdpipe.mesh.external import convert
from jsdpipe.pipeline.run import Run
from jsdpipe.render.stage import render
from jsdpipe.report import figures, html, tables
from jsdpipe.scoring import custom_metrics

PAGE = Path(__file__).parents[2] / "docs/extend/metric.md"
PROMPTS = ("a ball", "a box")


def meshes(folder):
    """Of `mine` always balls, of `theirs` always boxes; those of seed 1 have half of the height, and the volume."""
    for method, mesh in (("mine", trimesh.creation.icosphere(4)), ("theirs", trimesh.creation.box((1, 1, 1)))):
        for prompt in PROMPTS:
            for seed in (0, 1):
                path = folder / "meshes" / method / f"{prompt.replace(' ', '-')}-{seed}.glb"
                path.parent.mkdir(parents=True, exist_ok=True)
                mesh.copy().apply_scale([1, 1 - seed / 2, 1]).export(path)


def test_the_page_s_metric_has_columns_tables_charts_and_places_in_the_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```', PAGE.read_text(encoding="utf-8"), re.M | re.S)
    for name, text in blocks:
        Path(name).write_text(text, encoding="utf-8")
    assert [name for name, _ in blocks] == ["compactness.py", "shapes.yaml"]
    Path("prompts.txt").write_text("\n".join(PROMPTS) + "\n")
    meshes(tmp_path)
    config = yaml.safe_load(Path("shapes.yaml").read_text()) | {"report": {"turntable_views": 4}}
    Run.of(resolve(config), tmp_path / "run").save()
    run = Run.load(tmp_path / "run")
    for shard in run.shards():
        for stage in (collect, convert, render, custom_metrics.score):
            stage(run, shard)
    for write in (tables.write, figures.write, html.write):
        write(run)

    box, flat = np.pi / 6, 36 * np.pi * 0.5**2 / 4**3
    assets = pd.read_csv(run.layout.tables / "assets.csv").set_index(["method", "prompt", "seed"])
    assert assets.compactness["theirs"].tolist() == pytest.approx([box, flat] * 2)
    assert assets.compactness["mine", "a ball", 0] == pytest.approx(1, abs=0.01)
    prompts = pd.read_csv(run.layout.tables / "prompts.csv")
    assert prompts.volume_spread.tolist() == pytest.approx([0.5] * 4, abs=1e-4)
    summary = pd.read_csv(run.layout.tables / "shape.csv").set_index(["method", "metric"])
    assert summary["mean"]["theirs", "compactness"] == pytest.approx((box + flat) / 2)
    compared = pd.read_csv(run.layout.tables / "paired-shape.csv").set_index("metric")
    assert compared.difference["volume_spread"] == pytest.approx(0, abs=1e-4)
    assert f"{(box + flat) / 2:.2f}" in (run.layout.tables / "shape.md").read_text()
    assert (run.layout.figures / "shape.png").stat().st_size and (run.layout.figures / "shape.svg").stat().st_size
    index = (run.layout.report / "index.html").read_text()
    assert 'id="shape"' in index and "figures/shape.svg" in index and "tables/paired-shape.csv" in index
    (page,) = (run.layout.report / "prompts" / "single").glob("a-box-*.html")
    assert f"<dt>Compactness</dt><dd>{box:.2f}</dd>" in page.read_text()
