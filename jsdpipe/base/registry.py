"""Registries of entries by kind. Each entry has its own file, in the package, an installed distribution or a plugin.

Only the file of the entry that is asked for is imported, so that a run loads only what it uses.
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
_PLUGINS: dict[str, Path] = {}  # module name of each loaded plugin -> its file


class Registry(Generic[Entry]):
    """The entries of one sort, such as the objectives.

    The package defines its entry of a kind in the module of that name, with underscores for hyphens. An installed
    distribution declares the module of its entry as an entry point: `<prefix><kind> = "<module>"`.

    Args:
        what: the name of an entry in errors, such as "objective".
        package: the package whose modules define the built-in entries.
        group: the group of entry points.
        shared: modules of the package that define no entry.
        prefix: the start of the entry points' names, if several registries share a group.
        separator: the character in kinds that replaces the underscores of module names.
    """

    def __init__(
        self, what: str, package: str, group: str, shared: Iterable[str] = (), prefix: str = "", separator: str = "-"
    ) -> None:
        self.what, self.package, self.group, self.prefix = what, package, group, prefix
        self._shared, self._separator = frozenset(shared), separator
        self._entries: dict[str, Entry] = {}
        self._from: dict[str, str] = {}  # kind -> the module that has registered it

    def register(self, kind: str, module: str | None = None) -> Callable[[Entry], Entry]:
        """A decorator that registers an entry under its kind.

        Args:
            kind: the kind.
            module: the module that defines the entry, if the entry has no `__module__`.

        Raises:
            UserError: the kind is taken, or the class lacks an abstract method.
        """

        def add(entry: Entry) -> Entry:
            if missing := sorted(getattr(entry, "__abstractmethods__", ())):
                name = getattr(entry, "__name__", kind)
                raise UserError(f"{self.what} {kind!r}: {name} has no {', '.join(missing)}; define it")
            known, own = self._entries.get(kind), module or entry.__module__
            other = self._from.get(kind) or self._modules.get(kind, own)
            twice = known and other == own and _name(known) != _name(entry)
            if twice or place(other) != place(own):
                raise UserError(f"{self.what} {kind!r}: {place(other)} has one of that name; take another name")
            self._entries[kind], self._from[kind] = entry, own
            return entry

        return add

    def __getitem__(self, kind: str) -> Entry:
        """The entry of a kind; raises `UserError` with the nearest kind, or all kinds, if there is none."""
        if kind not in self._entries:
            if kind not in self._modules:
                raise UserError(f"no {self.what} {shown(kind)}; {nearest(kind, self.kinds(), 'there are')}")
            self._import(kind, self._modules[kind])
        return self._entries[kind]

    def kinds(self) -> list[str]:
        """All kinds, sorted; nothing is imported."""
        return sorted(self._modules.keys() | self._entries)

    def loaded(self) -> dict[str, Entry]:
        """The entries that have been imported, by kind, sorted."""
        return dict(sorted(self._entries.items()))

    def root(self, kind: str) -> str | Path:
        """Where an entry is defined: the name of its module, which is not imported, or a plugin's file."""
        if kind in self._modules:
            return self._modules[kind]
        self[kind]
        return place(self._from[kind])

    @cached_property
    def _modules(self) -> dict[str, str]:
        """The modules of the entries, by kind, without those of plugins."""
        modules = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        names = [module.name for module in modules if module.name not in self._shared]
        modules_by_kind = {name.replace("_", self._separator): f"{self.package}.{name}" for name in names}
        for point in _installed(self.group, tuple(sys.path)):
            if not point.name.startswith(self.prefix):
                continue
            kind = point.name.removeprefix(self.prefix)
            if (other := modules_by_kind.setdefault(kind, point.module)) != point.module:
                where = f"entry point {point.name} of {self.group}: {point.module}"
                raise UserError(f"{where}: {other} has one of that name; uninstall one of them")
        return modules_by_kind

    def _import(self, kind: str, module: str) -> None:
        where = f"{self.what} {kind!r}: {module}"
        try:
            importlib.import_module(module)
        except Exception as error:  # third-party code may raise anything
            raise UserError(f"{where}: cannot be imported ({_message(error)}); fix or uninstall it") from None
        if kind not in self._entries:
            raise UserError(f"{where}: does not register it; fix or uninstall it")


@cache
def _installed(group: str, path: tuple[str, ...]) -> EntryPoints:
    """The entry points of a group; `path`, which is `sys.path`, is the cache's key."""
    return entry_points(group=group)


class OfKind:
    """Annotation of a pydantic field that holds an entry's settings, whose `kind` names the entry.

    Use it as `Annotated[Strict, OfKind(registry, settings)]`, where `settings` returns the model of an entry's
    settings. Errors name the wrong key, as for a union of models with the discriminator `kind`.
    """

    def __init__(self, registry: Registry[Any], settings: Callable[[Any], type[BaseModel]]) -> None:
        self._registry, self._settings = registry, settings

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        options = []
        for kind, entry in self._registry.loaded().items():
            option = handler.resolve_ref_schema(handler(self._settings(entry).__pydantic_core_schema__))
            options.append(option | {"properties": option["properties"] | {"kind": {"const": kind}}})
        return {"oneOf": options}

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
    """Run a plugin's file, which registers its entries; the same content is run only once per process.

    Raises:
        UserError: the file is missing, raises an error (the line is named), or registers a kind that is taken.
    """
    try:
        code = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: with a null byte
        reason = error.strerror if isinstance(error, OSError) else "not a valid file name"
        raise UserError(f"{path}: cannot be read ({reason}); correct the path") from None
    # named by its content, because Python's own cache misses an edit within the same second that keeps the size
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
        remedy = "" if isinstance(error, UserError) else "; fix it"
        raise UserError(f"{path}: {line_in(path, error)}{_message(error)}{remedy}") from None


def _message(error: Exception) -> str:
    """The message of an error, on one line."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {first_line(error)}"


def _name(entry: Any) -> str:
    """The name that distinguishes two entries of a module: of a class or function, else the object's `repr`."""
    name: str = getattr(entry, "__qualname__", repr(entry))
    return name


def line_in(path: Path, error: Exception) -> str:
    """The last line of a file in an error's traceback, as "line 3: "; empty if there is none."""
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
        lines.append(error.lineno)
    return f"line {lines[-1]}: " if lines else ""


def place(module: str) -> str | Path:
    """A module as errors name it: a plugin's file, or the module's name."""
    return _PLUGINS.get(module, module)
