"""YAML files checked against strict models, every mistake one line: file, key, what is wrong, the mend. Torch-free."""

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

# what names files: no separator, no space, no leading dot
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")  # pydantic's kinds of errors
RANGE = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word; this one refuses them, and keys that are no scalars."""

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
    """The mapping in a YAML file; `UserError` if it is missing, unreadable, no YAML, or anything but a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); correct the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except ValueError:  # with a null byte
        raise UserError(f"{path}: cannot be read (no file can be named so); correct the path") from None
    raw = parse_yaml(text, str(path))
    if not isinstance(raw, dict):
        raise UserError(f"{path}: must be a mapping of keys to values, as in config.yaml")
    return raw


def parse_yaml(text: str, name: str) -> Any:
    """The value of a YAML text that errors call `name`; `UserError` if it is no YAML, or has a key twice."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{name}: {where}not valid YAML ({error.problem}); correct it there") from None
    except yaml.reader.ReaderError as error:
        raise UserError(
            f"{name}: not valid YAML (U+{error.character:04X} at position {error.position}); remove it"
        ) from None
    except ValueError:  # of a value such as 2026-13-01
        raise UserError(
            f"{name}: not valid YAML (what looks like a date or number is none); correct or quote it"
        ) from None
    except RecursionError:
        raise UserError(f"{name}: not valid YAML (nested too deep); correct it") from None


def overrides(arguments: Iterable[str]) -> dict[str, Any]:
    """The keys and values of arguments such as "seeds=[0, 1]", each value read as it would be in a file.

    Snakemake has its own reading of `--config`, which takes what is in lists and mappings for texts.
    """
    parts = (argument.partition("=") for argument in arguments)
    return {key: parse_yaml(value, f"--config {key}") for key, _, value in parts}


def validate(model: type[Model], raw: Mapping[str, Any], name: str) -> Model:
    """`raw` as `model`, by JSON's rules of type; `UserError` names `name`, the first wrong key and the mend."""
    try:
        text = json.dumps(raw)
    except (TypeError, ValueError):
        what = "holds a date, or a value that holds itself"
        raise UserError(f"{name}: {what}; use only text, numbers, true, false, null, lists and mappings") from None
    try:
        with at(name):
            return model.model_validate_json(text)
    except ValidationError as error:
        # A misspelt key is both unknown and missing: the former line says more. Of a value with several forms, the
        # most is said by a check of our own or of bounds, which follow the right type.
        rank = {"extra_forbidden": 0, "value_error": 1, **dict.fromkeys(BOUNDS, 1)}
        faults = sorted(error.errors(), key=lambda fault: rank.get(fault["type"], 2))
        raise UserError(f"{name}: {_line(faults[0], model)}") from None


@contextmanager
def at(place: str) -> Iterator[None]:
    """Put `place` before the line of any `UserError` from within."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{place}: {error}") from None


def nearest(word: str, known: list[str], what: str) -> str:
    """ "did you mean 'x'?" or what there is to choose from."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{what}: {', '.join(known)}"


def _line(fault: Any, model: type[BaseModel]) -> str:
    nodes: list[dict[str, Any]] = [model.model_json_schema()]
    definitions = nodes[0].get("$defs", {})
    kind = fault["type"]
    key: list[str] = []
    parents = nodes
    for part in fault["loc"]:
        below = [under for node in nodes for under in _below(_resolved(node, definitions), part)]
        # pydantic adds the tag of a union, and "[key]", which are no keys of the file.
        if below or (kind == "extra_forbidden" and part == fault["loc"][-1]):
            key.append(str(part) if str(part).isprintable() else repr(part))
            parents, nodes = nodes, below
    where = ".".join(key) or "the whole"
    if kind == "extra_forbidden":
        known = sorted({name for node in parents for of in _resolved(node, definitions) for name in _properties(of)})
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
        return f"{where}: it names files; take at most 64 of letters, digits, '.', '_', '-', a letter or digit first"
    message = fault["msg"].removeprefix("Value error, ")
    if kind in BOUNDS:
        (bound,) = fault["ctx"].values()
        plain = (of for node in nodes for of in _resolved(node, definitions))  # some perhaps of other places or kinds
        message = f"must be {next(_range(of) for of in plain if bound in map(of.get, RANGE))}"
    found = "" if isinstance(fault["input"], dict) else f", found {shown(fault['input'])}"
    return f"{where}: {message[0].lower()}{message[1:]}{found}"


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """The plain schemas that a schema stands for: references followed, the options of unions side by side."""
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    options = [option for union in ("anyOf", "oneOf", "allOf") for option in node.get(union, [])]
    return [plain for option in options for plain in _resolved(option, definitions)] if options else [node]


def _range(node: dict[str, Any]) -> str:
    """Between which bounds a schema's numbers are, in words."""
    if {"minimum", "maximum"} <= node.keys():
        return f"from {node['minimum']} to {node['maximum']}"
    return " and ".join(f"{word} {node[key]}" for key, word in RANGE.items() if key in node)


def _below(nodes: list[dict[str, Any]], part: str | int) -> list[dict[str, Any]]:
    """The schemas of a key or index, in those of what holds it."""
    if isinstance(part, int):
        return [items for node in nodes for items in [node.get("items"), *node.get("prefixItems", [])] if items]
    named = [node["properties"][part] for node in nodes if part in _properties(node)]
    free = [schema for node in nodes for schema in _free(node)]
    return named or [schema for schema in free if part != "[key]"]


def _free(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of what any key may hold."""
    any_key = node.get("additionalProperties")
    return [*node.get("patternProperties", {}).values(), *([any_key] if isinstance(any_key, dict) else [])]


def _properties(node: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = node.get("properties", {})
    return properties


def _discriminator(fault: Any) -> str:
    """The key that tells the options of a union apart."""
    key: str = fault["ctx"]["discriminator"]
    return key.strip("'")
