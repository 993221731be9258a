"""Registries: entries by kind, each from a file of its own, in the package, in an installed distribution or a plugin.

An entry's file is imported when the entry is asked for, and no other one, so that a run loads only what it uses.
"""

import hashlib
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from jsdpipe.base.errors import UserError, first_line, shown
from jsdpipe.base.validation import nearest

Entry = TypeVar("Entry")
_PLUGINS: dict[str, Path] = {}  # by module, the file of each plugin that was loaded


class Registry(Generic[Entry]):
    """The entries of one sort, such as the objectives.

    The package's own entry of a kind is defined in the module of that name, with underscores for hyphens. An installed
    distribution names the module that defines its entry as an entry point: `<prefix><kind> = "<module>"`.

    Args:
        what: what an entry is, for errors, such as "objective".
        package: the package whose modules define the own entries.
        group: the group of entry points.
        shared: modules of the package that define no entry.
        prefix: what the names of the entry points begin with, where several registries share a group.
        separator: what stands in kinds where their modules have underscores.
    """

    def __init__(
        self, what: str, package: str, group: str, shared: Iterable[str] = (), prefix: str = "", separator: str = "-"
    ) -> None:
        self.what, self.package, self.group, self.prefix = what, package, group, prefix
        self._shared, self._separator = frozenset(shared), separator
        self._entries: dict[str, Entry] = {}
        self._from: dict[str, str] = {}  # by kind, the module that has registered it

    def register(self, kind: str, module: str | None = None) -> Callable[[Entry], Entry]:
        """A decorator that makes an entry known under its kind; `module` is that of one that does not tell its own.

        Raises:
            UserError: the kind is taken, or the class lacks a method that it must have.
        """

        def add(entry: Entry) -> Entry:
            if missing := sorted(getattr(entry, "__abstractmethods__", ())):
                name = getattr(entry, "__name__", kind)
                raise UserError(f"{self.what} {kind!r}: {name} has no {', '.join(missing)}; define it")
            known, of = self._entries.get(kind), module or entry.__module__
            other = self._from.get(kind) or self._modules.get(kind, of)
            twice = known and other == of and _name(known) != _name(entry)
            if twice or place(other) != place(of):
                raise UserError(f"{self.what} {kind!r}: {place(other)} has one of that name; take another name")
            self._entries[kind], self._from[kind] = entry, of
            return entry

        return add

    def __getitem__(self, kind: str) -> Entry:
        """The entry of a kind; `UserError` if there is none, with the nearest kind or all of them."""
        if kind not in self._entries:
            if kind not in self._modules:
                raise UserError(f"no {self.what} {shown(kind)}; {nearest(kind, self.kinds(), 'there are')}")
            self._import(kind, self._modules[kind])
        return self._entries[kind]

    def kinds(self) -> list[str]:
        """Every kind that can be asked for, sorted; nothing is imported."""
        return sorted(self._modules.keys() | self._entries)

    def loaded(self) -> list[Entry]:
        """The entries that have been imported, in the order of their kinds."""
        return [self._entries[kind] for kind in sorted(self._entries)]

    def root(self, kind: str) -> str | Path:
        """Where the code of an entry begins: the name of its module, or a plugin's file; nothing is imported."""
        if kind in self._modules:
            return self._modules[kind]
        self[kind]
        return place(self._from[kind])

    @cached_property
    def _modules(self) -> dict[str, str]:
        """By kind, the modules of the entries that are no plugins'."""
        modules = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        names = [module.name for module in modules if module.name not in self._shared]
        found = {name.replace("_", self._separator): f"{self.package}.{name}" for name in names}
        for point in _installed(self.group, tuple(sys.path)):
            if not point.name.startswith(self.prefix):
                continue
            if (other := found.setdefault(point.name.removeprefix(self.prefix), point.module)) != point.module:
                where = f"entry point {point.name} of {self.group}: {point.module}"
                raise UserError(f"{where}: {other} has one of that name; uninstall one of them")
        return found

    def _import(self, kind: str, module: str) -> None:
        where = f"{self.what} {kind!r}: {module}"
        try:
            importlib.import_module(module)
        except Exception as error:  # a stranger's module may raise anything
            raise UserError(f"{where}: cannot be imported ({_said(error)}); mend or uninstall it") from None
        if kind not in self._entries:
            raise UserError(f"{where}: does not register it; mend or uninstall it")


@cache
def _installed(group: str, path: tuple[str, ...]) -> EntryPoints:
    """The entry points of a group in the distributions on a path, read once for the registries that share it."""
    return entry_points(group=group)


class OfKind:
    """Marks a field of a strict model that holds an entry's settings: their `kind` names the entry.

    Use as `Annotated[Strict, OfKind(registry, settings)]`, where `settings` gives the strict model of an entry's
    settings. What is wrong in them is reported at its key, as in a union of models that `kind` tells apart.
    """

    def __init__(self, registry: Registry[Any], settings: Callable[[Any], type[BaseModel]]) -> None:
        self._registry, self._settings = registry, settings

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        models = [self._settings(entry) for entry in self._registry.loaded()]
        return {"oneOf": [handler(model.__pydantic_core_schema__) for model in models]}

    def _read(self, value: Any) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, dict):
            raise ValueError("must be a mapping of keys to values")
        if "kind" not in value:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
        kind, known = value["kind"], self._registry.kinds()
        if not isinstance(kind, str) or kind not in known:
            tags = {"discriminator": "'kind'", "tag": str(kind), "expected_tags": ", ".join(map(repr, known))}
            raise PydanticKnownError("union_tag_invalid", tags)
        return self._settings(self._registry[kind]).model_validate_json(json.dumps(value))


def load_plugin(path: Path) -> None:
    """Run a plugin's file, so that what it registers is known; content that was run before is not run again.

    Raises:
        UserError: the file is missing or raises an error, with the line, or registers a kind that is taken.
    """
    try:
        code = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: with a null byte
        reason = error.strerror if isinstance(error, OSError) else "no file can be named so"
        raise UserError(f"{path}: cannot be read ({reason}); correct the path") from None
    # by its content: Python's own cache would take a file of the same second and size for unchanged
    name = f"jsdpipe_plugin_{hashlib.sha256(code).hexdigest()[:16]}"
    _PLUGINS[name] = path
    if name in sys.modules:
        return
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(path)
    try:
        exec(compile(code, str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        mend = "" if isinstance(error, UserError) else "; mend it"
        raise UserError(f"{path}: {line_in(path, error)}{_said(error)}{mend}") from None


def _said(error: Exception) -> str:
    """What an error says, on one line."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {first_line(error)}"


def _name(entry: Any) -> str:
    """What tells two entries of a module apart: a class' or function's name, or all that another object says."""
    name: str = getattr(entry, "__qualname__", repr(entry))
    return name


def line_in(path: Path, error: Exception) -> str:
    """The last line of a file that an error came through, as "line 3: "; empty if it came through none."""
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
        lines.append(error.lineno)
    return f"line {lines[-1]}: " if lines else ""


def place(module: str) -> str | Path:
    """Where a module is, for people: a plugin's file, or the module's name."""
    return _PLUGINS.get(module, module)
