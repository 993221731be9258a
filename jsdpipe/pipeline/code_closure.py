"""The code that a result depends on: the syntax trees of all imported modules, and the versions of their libraries.

Docstrings, comments, formatting and code for type checkers are ignored. Torch-free, because the workflow asks while it
plans.
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

# Modules, and whole packages, that are left out with their imports: they report, pass on values or look up entries.
# Their effect on a result is in its fingerprint as values.
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
# data files that count if a module uses `__file__`: in its folder, and in subfolders without code
DATA = (".j2", ".css")
# module -> distribution of another name; looking this up for all distributions takes 0.4 s
DISTRIBUTIONS = {"PIL": "pillow", "open_clip": "open_clip_torch", "skimage": "scikit-image", "yaml": "PyYAML"}

_PACKAGE = Path(jsdpipe.__file__).parent
_IGNORED = ("ctx", "kind", "type_comment")  # fields of syntax nodes that follow from others, or are comments


@dataclass(frozen=True)
class Code:
    """The code behind results: hashes of modules and data files by name, and versions of libraries (None: missing)."""

    modules: dict[str, str]
    libraries: dict[str, str | None]

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of the modules and libraries."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def closure(*entries: str) -> Code:
    """The code that entries depend on.

    Args:
        entries: modules such as "jsdpipe.mesh.stage", or Python files; a suffix ":name" is ignored. They count even if
            they are in `NEUTRAL`.

    Raises:
        UserError: a file cannot be read, or is not Python.
    """
    names = [entry.rpartition(":")[0] or entry for entry in entries]
    return _closure(*((name, sha256(Path(name)) if _is_file(name) else "") for name in names))


@cache
def _closure(*entries: tuple[str, str]) -> Code:
    """As `closure`, for pairs of a name and the hash of its file, "" if it can't change while this process runs."""
    sources: dict[str, _Source] = {}
    pending = [(name, _file(name), content) for name, content in entries]
    while pending:
        name, path, content = pending.pop()
        if name not in sources:
            sources[name] = _source(path, content)
            modules = _modules(sources[name].imports)
            pending += [(module, file, "") for module, file in modules if not _neutral(module)]
    folders = {_file(name).parent for name, source in sources.items() if source.reads_beside and not _is_file(name)}
    data = {path.relative_to(_PACKAGE.parent).as_posix(): sha256(path) for folder in folders for path in _data(folder)}
    tops = {name.partition(".")[0] for source in sources.values() for name in source.imports}
    libraries = map(_distribution, tops - sys.stdlib_module_names - {jsdpipe.__name__})
    # A plugin is listed by its file name, so that its folder can be moved.
    code = {
        Path(name).name if _is_file(name) else name: source.hash for name, source in sources.items() if not source.empty
    }
    return Code(code | data, {library: _version(library) for library in libraries})


@dataclass(frozen=True)
class _Source:
    """A source file: the hash of its syntax, whether it is empty (but for a docstring), the full names that it imports,
    and whether it uses `__file__`, to read data beside it."""

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
        raise UserError(f"{path}: not valid Python ({error}); fix it") from None
    package = ".".join(path.relative_to(_PACKAGE.parent).parent.parts) if path.is_relative_to(_PACKAGE) else None
    imports: set[str] = set()

    # `ast.dump` is not used, because its text depends on Python's version.
    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in _executed(node)]
        if not isinstance(node, ast.AST):
            return node
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level and package is None:
                raise UserError(f"{path}: line {node.lineno}: a relative import; name the module in full")
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            imports.update(f"{base}.{alias.name}" for alias in node.names)
        fields = {name: getattr(node, name, None) for name in node._fields if name not in _IGNORED}
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
            fields["body"] = node.body[1:]
        stated = {name: plain(value) for name, value in fields.items() if value is not None and value != []}
        return type(node).__name__, stated

    syntax = plain(tree)
    text = repr(syntax)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return _Source(digest, not syntax[1].get("body"), frozenset(imports), "'__file__'" in text)


def _executed(nodes: list[Any]) -> Iterator[Any]:
    """The statements that run: of `if TYPE_CHECKING`, only those of the else branch."""
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
    """The package's modules, with their files, that run when these names are imported; a package is its `__init__`."""
    for name in imports:
        parts = name.split(".")
        if parts[0] == jsdpipe.__name__:
            for end in range(1, len(parts) + 1):
                module = ".".join(parts[:end])
                for candidate in (f"{module}.__init__", module):
                    if (path := _path(candidate)).is_file():
                        yield candidate, path


def _neutral(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in NEUTRAL)


def _is_file(entry: str) -> bool:
    return entry.endswith(".py")


def _file(entry: str) -> Path:
    return Path(entry) if _is_file(entry) else _path(entry)


def _path(module: str) -> Path:
    """The file of a module of the package, whether it exists or not."""
    return _PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def _data(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix in DATA:
            yield path
        elif path.is_dir() and not (path / "__init__.py").exists():
            yield from _data(path)


@cache
def _distribution(top: str) -> str:
    """The distribution that installs a top-level package; the package's name if none does."""
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
