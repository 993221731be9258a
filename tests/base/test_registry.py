"""Registries of entries by kind: the package's own, an installed distribution's, a plugin's; and their settings."""

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated

import pytest

from jsdpipe.base import registry
from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import Strict
from jsdpipe.base.registry import OfKind, Registry, load_plugin
from jsdpipe.base.validation import validate

SHARED = """
from jsdpipe.base.registry import Registry
SHAPES = Registry("shape", "shapes", "tests.shapes", shared=("common",))
"""
ENTRY = """
from pydantic import Field
from jsdpipe.base.fields import Strict
from shapes import SHAPES

@SHAPES.register({kind!r})
class {name}:
    class Settings(Strict):
        kind: str
        {fields}
"""


def entry(kind, name="Shape", fields="pass"):
    return ENTRY.format(kind=kind, name=name, fields=fields)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that modules are imported from; what was imported is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_PLUGINS", {})
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def shapes(folder):
    """A registry of two kinds of its own, of which one has settings within settings."""
    (folder / "shapes").mkdir()
    nested = "radius: float = Field(gt=0)\n        center: Point\n"
    point = "\nclass Point(Strict):\n    x: float\n    y: float = Field(ge=0)\n"
    ball = entry("ball", fields=nested).replace("\n@SHAPES", f"{point}\n@SHAPES")
    files = {"__init__": SHARED, "common": "", "ball": ball, "big_box": entry("big-box", fields="edge: int")}
    for name, text in files.items():
        (folder / "shapes" / f"{name}.py").write_text(text)
    from shapes import SHAPES

    return SHAPES


def install(folder, kind, module):
    """Install a distribution that has an entry point of this kind."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tests.shapes]\n{kind} = {module}\n")


def refused(act, *arguments):
    with pytest.raises(UserError) as error:
        act(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_entry_is_imported_when_it_is_asked_for(shapes):
    assert shapes.kinds() == ["ball", "big-box"]
    assert shapes.root("big-box") == "shapes.big_box"
    assert shapes.loaded() == {} and "shapes.ball" not in sys.modules
    assert shapes["ball"].__module__ == "shapes.ball"
    assert shapes.loaded() == {"ball": shapes["ball"]} and "shapes.big_box" not in sys.modules


@pytest.mark.parametrize(("kind", "said"), [("bal", "did you mean 'ball'?"), ("x", "there are: ball, big-box")])
def test_an_unknown_kind(shapes, kind, said):
    assert refused(shapes.__getitem__, kind) == f'no shape "{kind}"; {said}'


def test_the_entry_of_an_installed_distribution(shapes, folder):
    install(folder, "cone", "conical")
    (folder / "conical.py").write_text(entry("cone"))
    assert shapes.kinds() == ["ball", "big-box", "cone"]
    assert shapes.root("cone") == "conical" and "conical" not in sys.modules
    assert shapes["cone"].__module__ == "conical"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise OSError('no such device\\nreally')", "OSError: no such device"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("", "does not register it"),
        (entry("big-box"), "shape 'big-box': shapes.big_box has one of that name"),
    ],
    ids=["raises", "lacks", "empty", "taken"],
)
def test_a_distribution_that_is_at_fault_is_named(shapes, folder, text, said):
    install(folder, "cone", "conical")
    (folder / "conical.py").write_text(text)
    message = refused(shapes.__getitem__, "cone")
    assert message.startswith("shape 'cone': conical: ") and said in message


def test_two_distributions_of_one_name(shapes, folder):
    for module in ("conical", "conic"):
        install(folder, "cone", module)
    message = refused(shapes.kinds)
    assert "conical" in message and "conic:" in message.replace("conical:", "")


def test_a_distribution_cannot_replace_an_own_entry(shapes, folder):
    install(folder, "ball", "round")
    message = refused(shapes.kinds)
    assert "round" in message and "shapes.ball has one of that name" in message


def test_a_plugin(shapes, folder):
    path = folder / "mine.py"
    path.write_text(entry("star"))
    load_plugin(path)
    assert "star" in shapes.kinds()
    assert shapes.root("star") == path
    assert not (folder / "__pycache__").exists()


def test_an_unchanged_plugin_is_run_once_and_a_changed_one_replaces_what_it_was(shapes, folder):
    path = folder / "mine.py"
    path.write_text(entry("star", "First"))
    load_plugin(path)
    first = shapes["star"]
    load_plugin(path)
    assert shapes["star"] is first
    stamp = path.stat()
    path.write_text(entry("star", "Other"))  # as long, and as old
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    load_plugin(path)
    assert shapes["star"].__name__ == "Other" and shapes.root("star") == path


def test_a_moved_plugin_is_where_it_was_found_last(shapes, folder):
    path, moved = folder / "mine.py", folder / "moved.py"
    path.write_text(entry("star"))
    load_plugin(path)
    load_plugin(path.rename(moved))
    assert shapes.root("star") == moved


@pytest.mark.parametrize("kind", ["ball", "cone", "star"])
def test_a_name_that_is_taken(shapes, folder, kind):
    """By an own entry, which may not have been imported yet, an installed one, another plugin's."""
    install(folder, "cone", "conical")
    theirs, mine = folder / "theirs.py", folder / "mine.py"
    theirs.write_text(entry("star"))
    load_plugin(theirs)
    mine.write_text(f"# {kind}\n{entry(kind)}")
    message = refused(load_plugin, mine)
    assert message.startswith(f"{mine}: line 7: shape {kind!r}: ")
    assert {"ball": "shapes.ball", "cone": "conical", "star": str(theirs)}[kind] in message


def test_a_name_that_is_given_twice_in_one_file(shapes, folder):
    (folder / "mine.py").write_text(entry("star", "One") + entry("star", "Two"))
    message = refused(load_plugin, folder / "mine.py")
    assert message.startswith(f"{folder / 'mine.py'}: line ") and "'star'" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = 1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("x = 1\n\ndef (:\n", "line 3: SyntaxError: "),
        ("import nothing_of_that_name", "line 1: ModuleNotFoundError: "),
        ("import json\njson.loads('[')", "line 2: JSONDecodeError: "),  # raised within another file
        ("x = '\0'", "SyntaxError: "),
    ],
)
def test_a_plugin_at_fault_is_named_with_its_line(folder, monkeypatch, text, said):
    monkeypatch.chdir(folder)
    Path("mine.py").write_text(text)
    assert refused(load_plugin, Path("mine.py")).startswith(f"mine.py: {said}")


def test_a_plugin_that_failed_is_run_again(shapes, folder):
    path = folder / "mine.py"
    path.write_text(entry("star", "First") + "\nimport nothing_of_that_name\n")
    for _ in range(2):
        assert "nothing_of_that_name" in refused(load_plugin, path)
    path.write_text(entry("star", "Second"))
    load_plugin(path)
    assert shapes["star"].__name__ == "Second"


@pytest.mark.parametrize("name", ["none.py", ".", "a\0b"])
def test_a_plugin_that_cannot_be_read(name):
    assert "correct the path" in refused(load_plugin, Path(name))


def test_a_class_that_lacks_a_method():
    class Shape(ABC):
        @abstractmethod
        def area(self) -> float: ...

    class Blob(Shape):
        pass

    message = refused(Registry("shape", "jsdpipe.objectives", "none").register("blob"), Blob)
    assert message.startswith("shape 'blob': Blob has no area")


@pytest.fixture
def scene(shapes):
    """A model with a field for the settings of a shape."""

    class Scene(Strict):
        shape: Annotated[Strict, OfKind(shapes, lambda shape: shape.Settings)]
        size: int = 1

    return Scene


BALL = {"kind": "ball", "radius": 2.5, "center": {"x": 1.0, "y": 0.0}}


def test_settings_are_those_of_their_kind(shapes, scene):
    found = validate(scene, {"shape": BALL}, "scene")
    assert type(found.shape) is shapes["ball"].Settings
    assert found.model_dump() == found.model_dump(mode="json") == {"shape": BALL, "size": 1}
    assert scene.model_validate_json(found.model_dump_json()) == found
    assert scene(shape=found.shape) == found
    assert "shapes.big_box" not in sys.modules


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (BALL | {"kind": "bal"}, "shape.kind: there is no \"bal\"; did you mean 'ball'?"),
        (BALL | {"kind": 3}, 'shape.kind: there is no "3"; there are: ball, big-box'),
        ({"radius": 1.0}, "shape.kind: missing; add it"),
        (BALL | {"radus": 1.0}, "shape.radus: unknown key; did you mean 'radius'?"),
        (BALL | {"radius": 0.0}, "shape.radius: must be above 0, found 0.0"),
        (BALL | {"radius": "1"}, 'shape.radius: input should be a valid number, found "1"'),
        (BALL | {"center": {"x": 1.0}}, "shape.center.y: missing; add it"),
        (BALL | {"center": {"x": 1.0, "y": -1.0}}, "shape.center.y: must be at least 0, found -1.0"),
        ({"kind": "big-box", "edge": 1, "radius": 1.0}, "shape.radius: unknown key; known here: edge, kind"),
        ({"kind": "big-box", "edge": 1.5}, "shape.edge: input should be a valid integer"),
        ("ball", 'shape: must be a mapping of keys to values, found "ball"'),
    ],
)
def test_what_is_wrong_in_settings_is_told_at_its_key(shapes, scene, shape, said):
    shapes["ball"]  # another kind that is loaded has no say
    assert refused(validate, scene, {"shape": shape}, "scene").startswith(f"scene: {said}")


def test_an_entry_that_cannot_be_imported_is_told_with_the_file(scene, folder):
    (folder / "shapes/ball.py").write_text("import nothing_of_that_name")
    assert refused(validate, scene, {"shape": BALL}, "scene.yaml").startswith("scene.yaml: shape 'ball': shapes.ball: ")


def test_the_schema_is_of_the_entries_that_are_loaded(shapes, scene):
    validate(scene, {"shape": BALL}, "scene")
    (ball,) = scene.model_json_schema()["properties"]["shape"]["oneOf"]
    assert ball["properties"]["radius"]["exclusiveMinimum"] == 0
    shapes["big-box"]
    assert len(scene.model_json_schema()["properties"]["shape"]["oneOf"]) == 2


def test_the_registry_itself_does_without_torch():
    code = (
        "import sys; from jsdpipe.objectives import OBJECTIVES; OBJECTIVES.kinds(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
