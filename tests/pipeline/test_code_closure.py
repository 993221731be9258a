"""Which code and which libraries a result depends on."""

import ast
import importlib.metadata
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jsdpipe
from jsdpipe.base.errors import UserError
from jsdpipe.config.stages import STAGES
from jsdpipe.objectives import OBJECTIVES
from jsdpipe.pipeline.code_closure import DISTRIBUTIONS, NEUTRAL, _source, closure

PACKAGE = Path(jsdpipe.__file__).parent
PLAIN = """
from typing import TYPE_CHECKING
def double(x):
    return 2 * x
class Doubling:
    def of(self, x: int) -> int:
        return double(x)
"""
ALIKE = {
    "docstrings": '"""A module."""\n'
    + PLAIN.replace("def double(x):", 'def double(x):\n    """Twice."""').replace(
        "class Doubling:", 'class Doubling:\n    "What doubles."'
    ),
    "comments": PLAIN.replace("return 2 * x", "# twice\n    return 2 * x  # as it says"),
    "formatting": PLAIN.replace("2 * x", "(2\n        *x)").replace("class", "\n\nclass"),
    "types": PLAIN.replace("def double", "if TYPE_CHECKING:\n    from jsdpipe.scene import Asset\ndef double"),
}
OTHERS = {
    "number": PLAIN.replace("2 * x", "3 * x"),
    "kind of number": PLAIN.replace("2 * x", "2.0 * x"),
    "name": PLAIN.replace("def of", "def twice"),
    "order": PLAIN.replace("2 * x", "x * 2"),
    "string": PLAIN + '"".join(["a"])\n',
    "other branch": PLAIN + "if TYPE_CHECKING:\n    pass\nelse:\n    double(1)\n",
}


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return closure(f"{path}:Doubling")


@pytest.mark.parametrize("edit", ALIKE)
def test_what_does_not_run_does_not_count(tmp_path, edit):
    one, other = written(tmp_path / "one.py", PLAIN), written(tmp_path / "other.py", ALIKE[edit])
    assert list(one.modules.values()) == list(other.modules.values())


@pytest.mark.parametrize("edit", OTHERS)
def test_what_runs_counts(tmp_path, edit):
    one, other = written(tmp_path / "one.py", PLAIN), written(tmp_path / "other.py", OTHERS[edit])
    assert list(one.modules.values()) != list(other.modules.values())


def test_a_file_s_imports_count_wherever_they_stand(tmp_path):
    text = "import PIL.Image\ndef f():\n    import jsdpipe.mesh.srgb\n    from jsdpipe.scoring import assets\n"
    found = written(tmp_path / "mine.py", text)
    assert {"jsdpipe.mesh.srgb", "jsdpipe.scoring.assets"} < {*found.modules}
    assert found.libraries["pillow"] == importlib.metadata.version("pillow")


def test_what_is_imported_from_a_module_counts_that_module(tmp_path):
    found = written(tmp_path / "mine.py", "from jsdpipe.base.schedules import size_at\n")
    assert found.modules.keys() == {"mine.py", "jsdpipe.base.schedules"}
    assert found.libraries == {}


def test_a_library_that_is_not_there_counts_as_such(tmp_path):
    assert written(tmp_path / "mine.py", "import no_such_library\n").libraries == {"no_such_library": None}


@pytest.mark.parametrize("content", [b"def", b"\xff", b"from . import other", None])
def test_a_file_that_cannot_be_followed_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.py"):
        closure(str(tmp_path / "mine.py"))


def test_an_objective_counts_for_itself_alone():
    generate = STAGES["generate"].function
    roots = {kind: str(OBJECTIVES.root(kind)) for kind in OBJECTIVES.kinds()}
    objectives = {kind: {*closure(generate, entry).modules} for kind, entry in roots.items()}
    files = roots
    for kind, modules in objectives.items():
        counted = {other for other, file in files.items() if file in modules}
        built_on = {"jsd": {"sdi"}, "asd-adversarial": {"vsd"}, "sim": {"vsd"}, "asd-asynchronous": {"vsd"}}
        assert kind in counted <= {kind, *built_on.get(kind, ())}


def test_a_renderer_counts_for_itself_alone():
    render, kinds = STAGES["render"].function, ("embree", "moderngl")
    libraries = {kind: {*closure(render, f"jsdpipe.render.{kind}").libraries} for kind in kinds}
    assert ("embreex" in libraries["embree"], "moderngl" in libraries["embree"]) == (True, False)
    assert ("embreex" in libraries["moderngl"], "moderngl" in libraries["moderngl"]) == (False, True)


def test_pages_count_their_templates():
    templates = {f"jsdpipe/{path.relative_to(PACKAGE).as_posix()}" for path in (PACKAGE / "report").rglob("*.j2")}
    data = {name for name in closure(STAGES["report"].function).modules if "/" in name}
    assert templates < data
    assert {name.rpartition(".")[2] for name in data} == {"j2", "css"}
    assert not any("/" in name for name in closure(STAGES["tables"].function).modules)


def test_an_entry_counts_though_it_is_neutral():
    assert "jsdpipe.generation.external" in closure("jsdpipe.generation.external").modules


def file_of(name):
    return PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")


def neutral_files():
    for name in NEUTRAL:
        folder = PACKAGE.parent.joinpath(*name.split("."))
        yield from folder.rglob("*.py") if folder.is_dir() else [file_of(name)]


def test_every_neutral_module_exists():
    assert all(path.is_file() for path in neutral_files())
    assert len([*neutral_files()]) >= len(NEUTRAL)


def test_no_neutral_module_can_make_a_number():
    """None has a library of numbers or pictures at hand, but to tell type checkers of."""
    for path in neutral_files():
        tops = {name.split(".")[0] for name in _source(path).imports}
        assert not tops & {"torch", "numpy", "scipy", "PIL", "pandas"}, path


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_the_names_of_distributions_are_those_that_are_installed():
    installed = importlib.metadata.packages_distributions()
    tops = {name for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_bytes()))
            for name in (of.split(".")[0] for of in imported(node))} & installed.keys() - {"jsdpipe"}  # fmt: skip
    assert {"torch", "PIL", "skimage", "open_clip", "yaml"} <= tops

    def normal(name):
        return name.lower().replace("-", "_")

    for top in tops:
        assert normal(DISTRIBUTIONS.get(top, top)) in map(normal, installed[top])


def test_a_plan_has_a_stage_s_code_soon_and_without_torch():
    """0.2 s on a slow core; the closure of a stage is read and parsed once a process."""
    code = (
        "import sys; from jsdpipe.pipeline.code_closure import closure; "
        "closure(*sys.argv[1:]); print('torch' in sys.modules)"
    )
    start = time.perf_counter()
    command = [sys.executable, "-c", code, STAGES["generate"].function, str(OBJECTIVES.root("jsd"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert time.perf_counter() - start < 5
