"""Registries: entries by kind, each from a file of its own, in the package, in an installed distribution or a plugin.

An entry's file is imported when the entry is asked for, and no other one, so that a run loads only what it uses.
"""

import importlib
import importlib.util
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from jsdpipe.base.errors import UserError, first_line, shown
from jsdpipe.base.files import sha256
from jsdpipe.base.validation import nearest

Entry = TypeVar("Entry")
_PLUGINS: dict[str, Path] = {}  # by module, the file of each plugin that was loaded


class Registry(Generic[Entry]):
    """The entries of one sort, such as the objectives.

    The package's own entry of a kind registers itself in the module of that name, `<package>.<kind>`. An installed
    distribution names the module of its entry as an entry point: `<kind> = "<module>"`.

    Args:
        what: what an entry is, for errors, such as "objective".
        package: the package whose modules register the own entries.
        group: the group of entry points.
        shared: modules of the package that register no entry of their name.
        separator: what stands in a kind where its module's name has an underscore.
    """

    def __init__(self, what: str, package: str, group: str, shared: Iterable[str] = (), separator: str = "-") -> None:
        self.what, self.package, self.group = what, package, group
        self._shared, self._separator = frozenset(shared), separator
        self._entries: dict[str, Entry] = {}
        self._modules: dict[str, str] = {}

    def register(self, kind: str, module: str | None = None) -> Callable[[Entry], Entry]:
        """A decorator that makes an entry known under its kind; `UserError` if the kind is taken.

        `module` is that of an entry which is no class or function, and so does not tell its own.
        """

        def add(entry: Entry) -> Entry:
            of = module or entry.__module__
            taken = self._modules.get(kind, self._own.get(kind, of))
            if place(taken) != place(of):
                raise UserError(
                    f"{place(of)}: {self.what} {kind!r}: {place(taken)} has one of that name; take another name"
                )
            self._entries[kind], self._modules[kind] = entry, of
            return entry

        return add

    def __getitem__(self, kind: str) -> Entry:
        """The entry of a kind; `UserError` if there is none, with the nearest kind or all of them."""
        if kind not in self._entries and kind in self._own:
            importlib.import_module(self._own[kind])
        elif kind not in self._entries and kind in self._installed:
            self._import(self._installed[kind])
        if kind not in self._entries:
            raise UserError(f"no {self.what} {shown(kind)}; {nearest(kind, self.kinds(), 'there are')}")
        return self._entries[kind]

    def kinds(self) -> list[str]:
        """Every kind that can be asked for, sorted; nothing is imported."""
        return sorted({*self._own, *self._installed, *self._entries})

    def loaded(self) -> list[Entry]:
        """The entries that have been imported, in the order of their kinds."""
        return [self._entries[kind] for kind in sorted(self._entries)]

    def root(self, kind: str) -> str | Path:
        """Where the code of an entry begins: the name of its module, or a plugin's file."""
        self[kind]
        return place(self._modules[kind])

    @cached_property
    def _own(self) -> dict[str, str]:
        modules = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        names = [module.name for module in modules if module.name not in self._shared]
        return {name.replace("_", self._separator): f"{self.package}.{name}" for name in names}

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def _import(self, point: EntryPoint) -> None:
        try:
            importlib.import_module(point.module)
        except UserError:
            raise
        except Exception as error:  # a stranger's module may raise anything
            where = f"entry point {point.name} of {self.group}: {point.module}"
            raise UserError(f"{where}: cannot be imported ({first_line(error)}); mend or uninstall it") from None


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
    """Import a plugin's file, so that what it registers is known; an unchanged file is imported once a process.

    Raises:
        UserError: the file is missing or raises an error, with the line, or registers a name that is taken.
    """
    name = f"jsdpipe_plugin_{sha256(path)[:16]}_{path.stem}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: no Python file; plugins end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _PLUGINS[name] = path
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name], _PLUGINS[name]
        if isinstance(error, UserError) or not isinstance(error, Exception):
            raise
        raise UserError(f"{path}: {line_in(path, error)}{type(error).__name__}: {first_line(error)}; mend it") from None


def line_in(path: str | Path, error: Exception) -> str:
    """The last line of a file that an error came through, as "line 3: "; empty if it came through none."""
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    return f"line {lines[-1]}: " if lines else ""


def place(module: str) -> str | Path:
    """Where a module's code is, for people and fingerprints: a plugin's file, or the module's name."""
    return _PLUGINS.get(module, module)
