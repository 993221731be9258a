"""The code that a result depends on is all in its fingerprint, and little else."""

import ast
from pathlib import Path

import pytest

import jsdpipe
from jsdpipe.pipeline.fingerprints import CODE, fingerprint, sources

ROOT = Path(jsdpipe.__file__).parent
ENTRIES = {
    "generate": "generation.stage", "mesh": "mesh.stage", "render": "render.stage", "quality": "scoring.quality",
    "alignment": "scoring.alignment", "diversity": "scoring.diversity", "metrics": "scoring.custom_metrics",
    "report": "report.html", "study": "study.stage",
}  # fmt: skip
# what reads, checks, names, carries or tells, but has no part in any number or picture
CARRIERS = ("base.cpu", "base.device", "base.errors", "base.fields", "base.files", "base.progress", "base.provenance",
            "base.registry", "base.validation", "config", "mesh.readers", "metrics", "model_files", "pipeline",
            "scene.settings")  # fmt: skip


def neutral(module):
    return any(module == name or module.startswith(f"{name}.") for name in CARRIERS) or module in ("base", "miniature")


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imported(module):
    """The package's modules that a module's source imports, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jsdpipe":
            base = (node.module or "").removeprefix("jsdpipe").removeprefix(".")
            names = {f"{base}.{alias.name}".removeprefix(".") for alias in node.names}
            found |= {name if name in FILES else base for name in names}
    return found - {""}


def closure(module):
    found, ahead = set(), [module]
    while ahead:
        if (now := ahead.pop()) not in found:
            found.add(now)
            # neutral modules are not looked into: what they import serves to check, not to compute
            ahead += [] if neutral(now) else imported(now)
    return found


@pytest.mark.parametrize("stage", CODE)
def test_all_that_a_stage_imports_counts(stage):
    counted = {name_of(ROOT / path) for path in sources(stage)}
    entries = {ENTRIES[stage]}
    if stage in ("quality", "alignment", "diversity"):
        entries |= {name for name in FILES if name.startswith("models.")}  # imported by name, as configured
    assert {m for m in set().union(*map(closure, entries)) - counted if not neutral(m)} == set()


def test_pages_count_their_templates():
    assert {path.suffix for path in sources("report")} == {".py", ".j2", ".css"}


def test_every_file_that_is_listed_exists():
    for stage in CODE:
        assert all((ROOT / path).is_file() for path in sources(stage))
        assert all((ROOT / name).exists() for name in CODE[stage])


def test_a_fingerprint_is_of_its_stage_and_its_parts():
    assert fingerprint("mesh", 1) == fingerprint("mesh", 1)
    assert len({fingerprint("mesh", 1), fingerprint("mesh", 2), fingerprint("render", 1)}) == 3


def test_another_library_makes_another_fingerprint(monkeypatch):
    before = fingerprint("mesh", 1)
    monkeypatch.setattr("jsdpipe.pipeline.fingerprints.libraries", lambda: {"torch": "0"})
    assert fingerprint("mesh", 1) != before
