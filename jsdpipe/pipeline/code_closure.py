"""The code that counts for a result: all that its entries import, as syntax, and the libraries that this imports.

Docstrings, comments, formatting and what only type checkers see don't count. Torch-free, because the workflow asks
while it plans.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsdpipe
from jsdpipe.base.errors import UserError
from jsdpipe.base.files import sha256

# Modules, and packages with all that is in them, that report, carry, or look up what is named to them. What they do to
# a result is in its fingerprint by value. They are neither counted nor looked into.
NEUTRAL = (
    "jsdpipe.__init__",
    "jsdpipe.base.errors",
    "jsdpipe.base.fields",
    "jsdpipe.base.files",
    "jsdpipe.base.progress",
    "jsdpipe.base.provenance",
    "jsdpipe.base.registry",
    "jsdpipe.base.validation",
    "jsdpipe.config",
    "jsdpipe.model_files.formats",
    "jsdpipe.models.__init__",
    "jsdpipe.objectives.__init__",
    "jsdpipe.objectives.settings",
    "jsdpipe.pipeline.__init__",
    "jsdpipe.pipeline.code_closure",
    "jsdpipe.pipeline.contents",
    "jsdpipe.pipeline.fingerprints",
    "jsdpipe.pipeline.layout",
    "jsdpipe.pipeline.manifests",
    "jsdpipe.pipeline.run",
    "jsdpipe.scene.hash_grid.settings",
    "jsdpipe.scene.registry",
    "jsdpipe.scene.settings",
    "jsdpipe.scene.voxels.settings",
)
DATA = (".j2", ".css")  # what counts beside a module that reads there, and in folders there that are no packages
# distributions that are called otherwise than what they let import; to find out about all takes 0.4 s
DISTRIBUTIONS = {"PIL": "pillow", "open_clip": "open_clip_torch", "skimage": "scikit-image", "yaml": "PyYAML"}

_PACKAGE = Path(jsdpipe.__file__).parent
_UNSEEN = ("ctx", "kind", "type_comment")  # fields of syntax that follow from the others, or are comments


@dataclass(frozen=True)
class Code:
    """What results come from: hashes of modules and data files by name, and the versions of libraries.

    A library that is not installed has the version None.
    """

    modules: dict[str, str]
    libraries: dict[str, str | None]

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def closure(*entries: str) -> Code:
    """The code that entries run: modules such as "jsdpipe.mesh.stage", or files of Python, ":name" in them left aside.

    An entry counts also if it is neutral. `UserError` if a file cannot be read, or is no Python.
    """
    names = [entry.rpartition(":")[0] or entry for entry in entries]
    return _closure(*((name, sha256(Path(name)) if _is_file(name) else "") for name in names))


@cache
def _closure(*entries: tuple[str, str]) -> Code:
    """As `closure`, of names, each with the content of its file if that may change while this process runs."""
    found: dict[str, _Source] = {}
    ahead = [(name, _file(name), content) for name, content in entries]
    while ahead:
        name, path, content = ahead.pop()
        if name not in found:
            found[name] = _source(path, content)
            ahead += [(of, file, "") for of, file in _modules(found[name].imports) if not _neutral(of)]
    read = {_file(name).parent for name, source in found.items() if source.reads_beside and not _is_file(name)}
    data = {path.relative_to(_PACKAGE.parent).as_posix(): sha256(path) for folder in read for path in _data(folder)}
    tops = {name.partition(".")[0] for source in found.values() for name in source.imports}
    libraries = map(_distribution, tops - sys.stdlib_module_names - {jsdpipe.__name__})
    # A plugin counts by its file's name, wherever its folder is.
    code = {
        Path(name).name if _is_file(name) else name: source.hash for name, source in found.items() if not source.empty
    }
    return Code(code | data, {of: _version(of) for of in libraries})


@dataclass(frozen=True)
class _Source:
    """A file's syntax, hashed; whether there is none but a docstring; the full names of what it imports; and whether
    it has a `__file__` to read beside."""

    hash: str
    empty: bool
    imports: frozenset[str]
    reads_beside: bool


@cache
def _source(path: Path, content: str = "") -> _Source:
    try:
        tree = ast.parse(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); correct the path") from None
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not Python ({error}); mend it") from None
    package = ".".join(path.relative_to(_PACKAGE.parent).parent.parts) if path.is_relative_to(_PACKAGE) else None
    imports: set[str] = set()

    # Not `ast.dump`, whose text depends on Python's version.
    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in _seen(node)]
        if not isinstance(node, ast.AST):
            return node
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level and package is None:
                raise UserError(f"{path}: line {node.lineno}: a relative import; name the module in full")
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            imports.update(f"{base}.{alias.name}" for alias in node.names)
        fields = {name: getattr(node, name, None) for name in node._fields if name not in _UNSEEN}
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
            fields["body"] = node.body[1:]
        return type(node).__name__, {name: plain(of) for name, of in fields.items() if of is not None and of != []}

    syntax = plain(tree)
    text = repr(syntax)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return _Source(digest, not syntax[1].get("body"), frozenset(imports), "'__file__'" in text)


def _seen(nodes: list[Any]) -> Iterator[Any]:
    """The statements that run, with the other branch of what is for type checkers alone."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in (
            getattr(node.test, "id", None),  # imported from typing
            getattr(node.test, "attr", None),
        ):
            yield from node.orelse
        else:
            yield node


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def _modules(imports: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Our modules that run when these names are imported, by name; packages as their `__init__`."""
    for name in imports:
        parts = name.split(".")
        if parts[0] == jsdpipe.__name__:
            for end in range(1, len(parts) + 1):
                module = ".".join(parts[:end])
                for of in (f"{module}.__init__", module):
                    if (path := _path(of)).is_file():
                        yield of, path


def _neutral(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in NEUTRAL)


def _is_file(entry: str) -> bool:
    return entry.endswith(".py")


def _file(entry: str) -> Path:
    return Path(entry) if _is_file(entry) else _path(entry)


def _path(module: str) -> Path:
    """The file of one of our modules, whether it is there or not."""
    return _PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def _data(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix in DATA:
            yield path
        elif path.is_dir() and not (path / "__init__.py").exists():
            yield from _data(path)


@cache
def _distribution(top: str) -> str:
    """What installs the top-level package of that name; the name itself if nothing does."""
    name = DISTRIBUTIONS.get(top, top)
    return name if _version(name) is not None else _distributions().get(top, [top])[0]


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


@cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
