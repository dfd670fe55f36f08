"""An Avro schema as a tree of `Shape`s, in which a named type stands in full wherever it is used; names include the
namespace."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastavro import parse_schema

from schemas.bounded_json import Bounds, OutOfBounds, load_json

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_LEVELS = 100  # of JSON; our schemas have a dozen
_MOST_TYPES = 10_000  # each counted wherever it is used; our schemas have a hundred
_BOUNDS = Bounds(size=1024 * 1024, depth=_MOST_LEVELS, values=100_000, items=100_000)


class NotASchema(ValueError):
    """The text is no Avro schema. The message is a fixed sentence that quotes nothing, since the caller may have named
    the wrong file."""


class SchemaNotJson(NotASchema):
    """The text is not even JSON."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One type. `kind` is Avro's name of the type, or `recursion` where a record uses a record that contains it.
    `logical` is the logical type, `size` the bytes of a fixed. `parts` are the branches of a union, or the one type of
    an array's items or a map's values."""

    kind: str
    name: str = ""
    logical: str = ""
    size: int = 0
    parts: tuple["Shape", ...] = ()
    fields: tuple["Field", ...] = ()
    symbols: tuple[str, ...] = ()
    doc: str = ""

    def text(self) -> str:
        """The type as a short text, as in `null or string (uuid)`."""
        inner = " or ".join(part.text() for part in self.parts)
        match self.kind:
            case "union":
                return inner
            case "array" | "map":
                return f"{self.kind} of {inner}"
            case "fixed":
                said = f"fixed {self.name} of {self.size} bytes"
            case "record" | "enum" | "recursion":
                said = f"{self.kind} {self.name}"
            case _:
                said = self.kind
        return f"{said} ({self.logical})" if self.logical else said


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record. `default` holds the default as parsed JSON, and is empty where there is none."""

    name: str
    shape: Shape
    default: tuple[Any, ...] = ()
    doc: str = ""
    aliases: tuple[str, ...] = ()


def parse_avsc(content: str | bytes) -> tuple[Any, Shape]:
    """The schema in the content of a file, as parsed JSON and as a shape. Raises `NotASchema`."""
    try:
        raw = load_json(content.encode() if isinstance(content, str) else content, _BOUNDS)
    except OutOfBounds as error:
        raise NotASchema("nested too deep" if error.what == "depth" else "too long") from None
    except ValueError:
        raise SchemaNotJson("not JSON") from None
    return raw, shape_of(raw)


def shape_of(raw: Any) -> Shape:
    """The shape of a schema that is parsed JSON. Raises `NotASchema`."""
    _refuse_what_fastavro_takes(raw)
    try:
        return _within_bounds(_Builder().shape(parse_schema(raw)))
    except NotASchema:
        raise
    except Exception:  # noqa: BLE001 # fastavro raises anything from KeyError to UnknownType, and quotes what it read
        raise NotASchema("not an Avro schema") from None


def _within_bounds(shape: Shape) -> Shape:
    """Refuses a shape that is too large. Thirty short records, each of which uses the next one twice, make a billion
    types."""
    waiting, count = [(shape, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if count > _MOST_TYPES or depth > _MOST_LEVELS:
            raise NotASchema("it holds too many types, with each counted wherever it is used")
        waiting += [(inner, depth + 1) for inner in (*part.parts, *(field.shape for field in part.fields))]
    return shape


def all_shapes(shape: Shape, path: str) -> Iterator[tuple[str, Shape]]:
    """Every type in the shape, itself included, each with its path, which begins with `path`."""
    yield path, shape
    for part in shape.parts:
        yield from all_shapes(part, path if shape.kind == "union" else f"{path}[]")
    for each in shape.fields:
        yield from all_shapes(each.shape, f"{path}.{each.name}")


def all_fields(shape: Shape, path: str) -> Iterator[tuple[str, Field]]:
    """Every field of every record in the shape, each with its path, which begins with `path`."""
    for place, inner in all_shapes(shape, path):
        for each in inner.fields:
            yield f"{place}.{each.name}", each


def short_name(shape: Shape) -> str:
    """The name without its namespace, with which the paths in this shape begin."""
    return shape.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class _Builder:
    """One walk through a schema. `named` holds the named types met so far, None for a record still being built."""

    named: dict[str, Shape | None] = field(default_factory=dict)

    def shape(self, node: Any) -> Shape:
        match node:
            case str():
                return Shape(node) if node in PRIMITIVES else self.named[node] or Shape("recursion", node)
            case list():
                return Shape("union", parts=tuple(self.shape(branch) for branch in node))
            case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
                return Shape(node["type"], parts=(self.shape(inner),))
            case {"type": "record", "name": str(name), "fields": list(fields)}:
                return self._record(name, fields, node)
            case {"type": "fixed" | "enum" as kind, "name": str(name)}:
                symbols = _words(node, "symbols")
                made = Shape(kind, name, _logical(node), _size(node), symbols=symbols, doc=_doc(node))
                self.named[name] = made
                return made
            case {"type": str(kind)} if kind in PRIMITIVES:
                return Shape(kind, logical=_logical(node))
            case _:
                raise NotASchema("not an Avro schema")

    def _record(self, name: str, fields: list[Any], node: Any) -> Shape:
        _words(node, "aliases")
        self.named[name] = None
        made = Shape("record", name, fields=tuple(self._field(each) for each in fields), doc=_doc(node))
        if len({each.name for each in made.fields}) != len(made.fields):
            raise NotASchema("a field stands twice in one record")
        self.named[name] = made
        return made

    def _field(self, node: Any) -> Field:
        if not isinstance(node["name"], str) or not _NAME.fullmatch(node["name"]):
            raise NotASchema("a field's name is none in Avro")
        default = (node["default"],) if "default" in node else ()
        return Field(node["name"], self.shape(node["type"]), default, _doc(node), _words(node, "aliases"))


def _logical(node: Any) -> str:
    said = str(node.get("logicalType", ""))
    return f"{said} {node.get('precision')}.{node.get('scale', 0)}" if said == "decimal" else said


def _doc(node: Any) -> str:
    doc = node.get("doc") or ""
    if not isinstance(doc, str):
        raise NotASchema("a doc is no text")
    return doc


def _words(node: Any, key: str) -> tuple[str, ...]:
    words = node.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise NotASchema(f"{key} that are no list of names")
    return tuple(words)


def _size(node: Any) -> int:
    size = node.get("size", 0)
    if type(size) is not int or size < 0:
        raise NotASchema("the size of a fixed is a whole number")
    return size


def _refuse_what_fastavro_takes(raw: Any, depth: int = 0) -> None:
    """Refuses a record without `fields`, which fastavro reads as one with none, and nesting deeper than the recursion
    of this module can follow."""
    if depth > _MOST_LEVELS:
        raise NotASchema("nested too deep")
    if isinstance(raw, dict) and raw.get("type") == "record" and "fields" not in raw:
        raise NotASchema("a record without fields")
    inner = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    for each in inner:
        _refuse_what_fastavro_takes(each, depth + 1)
