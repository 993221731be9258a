"""What `pip install` of a built wheel gives: the whole package, which works from any folder."""

import json
import re
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import trimesh

import jsdpipe
from jsdpipe.config.recipes import names

ROOT = Path(__file__).parent.parent


def run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built of a copy of the sources, because a build leaves files among them."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "jsdpipe", source / "jsdpipe", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})", cwd=source)
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_holds_every_file_of_the_package(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "jsdpipe").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert held == {path.relative_to(ROOT).as_posix() for path in files}
    assert {Path(name).suffix for name in held} >= {".py", ".yaml", ".txt", ".json", ".safetensors", ".j2", ".css"}


@pytest.mark.slow
def test_a_wheel_works_from_an_empty_folder(wheel, tmp_path):
    """In an environment of its own, whose packages are this one's, but for the package itself."""
    pytest.importorskip("ensurepip")
    venv.create(tmp_path / "venv", with_pip=True)
    python, here = tmp_path / "venv/bin/python", tmp_path / "empty"
    (packages,) = (tmp_path / "venv/lib").glob("*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=tmp_path)
    here.mkdir()

    def said(*arguments):
        return run(tmp_path / "venv/bin/jsdpipe", *arguments, cwd=here)

    where = run(python, "-c", "import jsdpipe; print(jsdpipe.__file__)", cwd=here)
    assert Path(where.strip()).is_relative_to(packages)
    assert said("--version").split() == ["jsdpipe", jsdpipe.__version__]
    assert re.findall(r"^  (\S+):", said("recipes"), re.MULTILINE) == names()
    assert "32 assets in 12 shards" in said("check")
    said("configure", "--run", "run")
    assert list(here.iterdir()) == [here / "run"]
    sphere = trimesh.creation.icosphere(subdivisions=2)
    sphere.visual.vertex_colors = (220, 20, 20)
    sphere.export(here / "ball.glb")
    said("score", "ball.glb", "--prompt", "a red ball", "--out", "scores.json")
    (ball,) = json.loads((here / "scores.json").read_text())["assets"]
    assert ball["status"] == "ok" and ball["caption"]
