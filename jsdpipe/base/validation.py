"""YAML files checked against strict models. A mistake is one line: file, key, what is wrong, what to do. Torch-free."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from jsdpipe.base.errors import UserError, shown

# names that are used in paths: no separator, no space, no leading dot
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")  # pydantic's error types
RANGE = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys, of which PyYAML silently keeps the last, and keys that are not scalars."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a list or mapping as a key", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises `UserError` if it cannot be read, is not valid YAML, or is not a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); correct the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except ValueError:  # with a null byte
        raise UserError(f"{path}: cannot be read (not a valid file name); correct the path") from None
    raw = parse_yaml(text, str(path))
    if not isinstance(raw, dict):
        raise UserError(f"{path}: must be a mapping of keys to values, as in config.yaml")
    return raw


def parse_yaml(text: str, name: str) -> Any:
    """The value of a YAML text, which errors call `name`; raises `UserError` if it is invalid or has a key twice."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{name}: {where}not valid YAML ({error.problem}); correct it there") from None
    except yaml.reader.ReaderError as error:
        raise UserError(
            f"{name}: not valid YAML (U+{error.character:04X} at position {error.position}); remove it"
        ) from None
    except ValueError:  # a value such as 2026-13-01
        raise UserError(f"{name}: not valid YAML (an invalid date or number); correct or quote it") from None
    except RecursionError:
        raise UserError(f"{name}: not valid YAML (nested too deep); correct it") from None


def overrides(arguments: Iterable[str]) -> dict[str, Any]:
    """The keys and values of arguments such as "seeds=[0, 1]"; values are read as YAML.

    Snakemake parses `--config` differently: it reads the items of lists and mappings as strings.
    """
    parts = (argument.partition("=") for argument in arguments)
    return {key: parse_yaml(value, f"--config {key}") for key, _, value in parts}


def validate(model: type[Model], raw: Mapping[str, Any], name: str) -> Model:
    """`raw` as `model`, by JSON's types; raises `UserError` with `name`, the first wrong key and what to do."""
    try:
        text = json.dumps(raw)
    except (TypeError, ValueError):
        what = "holds a date, or a value that holds itself"
        raise UserError(f"{name}: {what}; use only text, numbers, true, false, null, lists and mappings") from None
    try:
        with at(name):
            return model.model_validate_json(text)
    except ValidationError as error:
        # A misspelled key is both unknown and missing; "unknown" says more. If a value may have several forms, our own
        # checks and bounds say most, because they apply only to a value of the right type.
        rank = {"extra_forbidden": 0, "value_error": 1, **dict.fromkeys(BOUNDS, 1)}
        faults = sorted(error.errors(), key=lambda fault: rank.get(fault["type"], 2))
        raise UserError(f"{name}: {_line(faults[0], model, raw)}") from None


@contextmanager
def at(place: str) -> Iterator[None]:
    """Prefix the message of any `UserError` raised in the block with `place`."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{place}: {error}") from None


def nearest(word: str, known: list[str], what: str) -> str:
    """ "did you mean 'x'?" if a known word is similar, else all known words after `what`."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{what}: {', '.join(known)}"


def _line(fault: Any, model: type[BaseModel], value: Any) -> str:
    """A mistake in one line: the key, what is wrong with the value, what to do."""
    nodes: list[dict[str, Any]] = [model.model_json_schema()]
    definitions = nodes[0].get("$defs", {})
    kind = fault["type"]
    key: list[str] = []
    parents = nodes
    tagged = False  # whether the tag of the union at hand has been passed; it may be the name of a key too
    for part in fault["loc"]:
        if not tagged and any("discriminator" in node for node in nodes):
            tagged = True
            continue
        plain = [schema for node in nodes for schema in _resolved(node, definitions, value)]
        below = _below(plain, part)
        # pydantic adds the tags of other unions and "[key]", which are not keys of the file.
        if below or (kind == "extra_forbidden" and part == fault["loc"][-1]):
            key.append(str(part) if str(part).isprintable() else repr(part))
            parents, nodes, tagged = plain, below, False
            try:
                value = value[part]
            except (LookupError, TypeError):  # it is missing
                value = None
    where = ".".join(key)
    if kind == "extra_forbidden":
        known = sorted({name for schema in parents for name in _properties(schema)})
        return f"{where}: unknown key; {nearest(key[-1], known, 'known here')}"
    if kind == "union_tag_invalid":
        tag, known = fault["ctx"]["tag"], re.findall("'(.*?)'", fault["ctx"]["expected_tags"])
        return f"{where}.{_discriminator(fault)}: there is no {shown(tag)}; {nearest(tag, known, 'there are')}"
    if kind == "union_tag_not_found":
        return f"{where}.{_discriminator(fault)}: missing; add it"
    if kind == "missing":
        return f"{where}: missing; add it"
    if kind == "literal_error" and fault["loc"][-1] == "[key]":
        return f"{where}: unknown key; must be {fault['ctx']['expected']}"
    if kind == "string_pattern_mismatch" and fault["ctx"]["pattern"] == NAME:
        return f"{where}: take 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first (it names files)"
    message = fault["msg"].removeprefix("Value error, ")
    if kind in BOUNDS:
        (bound,) = fault["ctx"].values()
        schemas = [schema for node in nodes for schema in _resolved(node, definitions, value)]  # all of a union's
        message = f"must be {next(_range(schema) for schema in schemas if bound in map(schema.get, RANGE))}"
    found = "" if isinstance(fault["input"], dict) else f", found {shown(fault['input'])}"
    line = f"{message[0].lower()}{message[1:]}{found}"
    return f"{where}: {line}" if where else line  # checks of the whole name their key themselves


def _resolved(node: dict[str, Any], definitions: dict[str, Any], value: Any) -> list[dict[str, Any]]:
    """The plain schemas behind a value's schema: references are followed, and unions are split into their options.

    Of options with a `kind`, only those of the value's remain, if there are any.
    """
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rsplit("/", 1)[1]], definitions, value)
    options = [option for union in ("anyOf", "oneOf", "allOf") for option in node.get(union, [])]
    if not options:
        return [node]
    plain = [schema for option in options for schema in _resolved(option, definitions, value)]
    kind = value.get("kind") if isinstance(value, Mapping) else None
    return [schema for schema in plain if _properties(schema).get("kind", {}).get("const", kind) == kind] or plain


def _range(node: dict[str, Any]) -> str:
    """The bounds of a schema's numbers, in words."""
    if {"minimum", "maximum"} <= node.keys():
        return f"from {node['minimum']} to {node['maximum']}"
    return " and ".join(f"{word} {node[key]}" for key, word in RANGE.items() if key in node)


def _below(nodes: list[dict[str, Any]], part: str | int) -> list[dict[str, Any]]:
    """The schemas of a key or index, given the schemas of its mapping or list."""
    if isinstance(part, int):
        return [items for node in nodes for items in [node.get("items"), *node.get("prefixItems", [])] if items]
    named = [node["properties"][part] for node in nodes if part in _properties(node)]
    free = [schema for node in nodes for schema in _free(node)]
    return named or [schema for schema in free if part != "[key]"]


def _free(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of the values of a mapping with arbitrary keys."""
    any_key = node.get("additionalProperties")
    return [*node.get("patternProperties", {}).values(), *([any_key] if isinstance(any_key, dict) else [])]


def _properties(node: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = node.get("properties", {})
    return properties


def _discriminator(fault: Any) -> str:
    """The key that selects an option of a union."""
    key: str = fault["ctx"]["discriminator"]
    return key.strip("'")
