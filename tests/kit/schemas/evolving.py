"""Synthetic schemas and ways to change them, by the names of their fields: `leaves.colour` is a field of the items."""

import copy
from typing import Any

Avro = Any
UUID_TEXT = {"type": "string", "logicalType": "uuid"}
DATE = {"type": "int", "logicalType": "date"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
GONE: Any = object()
"""As a new value: the key is taken away."""


def field(name: str, avro: Avro, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro, "doc": "Synthetic.", **more}


def record(name: str, *fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "doc": "Synthetic.", "fields": list(fields), **more}


def array(items: Avro) -> dict[str, Any]:
    return {"type": "array", "items": items}


def fixed(name: str, size: int) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size}


LEAF = record("Leaf", field("colour", "string"), field("worn", "boolean", default=False), field("veins", "int"))
OWNER = record("Owner", field("since", ["null", DATE], default=None), field("label", "string"))
TREE = record(
    "Tree",
    field("tree_id", UUID_TEXT),
    field("height", "long"),
    field("nickname", ["null", "string"], default=None),
    field("kind", "string", default="oak"),
    field("planted_on", DATE),
    field("seen_at", MILLIS),
    field("age", ["null", "int"], default=None),
    field("leaves", array(LEAF), default=[]),
    field("owner", ["null", OWNER], default=None),
    field("mark", fixed("Mark", 8)),
    field("other_mark", "Mark"),
    field("sealed", "bytes"),
    namespace="synthetic",
)


def edited(schema: Avro, path: str, **news: Any) -> Avro:
    """A copy in which keys of the field's declaration are other ones; `avro` is its type. Without a path: of the
    schema itself.
    """
    result = copy.deepcopy(schema)
    target = _field(result, path) if path else result
    for key, value in news.items():
        key = "type" if key == "avro" else key
        if value is GONE:
            target.pop(key, None)
        else:
            target[key] = value
    return result


def with_field(schema: Avro, path: str, avro: Avro, **more: Any) -> Avro:
    """A copy with one field more, first in its record."""
    result = copy.deepcopy(schema)
    parent, _, name = path.rpartition(".")
    _record(result, parent)["fields"].insert(0, field(name, avro, **more))
    return result


def without_field(schema: Avro, path: str) -> Avro:
    result = copy.deepcopy(schema)
    parent, _, name = path.rpartition(".")
    fields = _record(result, parent)["fields"]
    fields.remove(next(each for each in fields if each["name"] == name))
    return result


def in_order(schema: Avro, *names: str) -> Avro:
    """A copy in which these fields come first, in this order."""
    result = copy.deepcopy(schema)
    result["fields"].sort(key=lambda each: names.index(each["name"]) if each["name"] in names else len(names))
    return result


def _record(schema: Avro, path: str) -> Avro:
    return _inner(_field(schema, path)["type"]) if path else schema


def _field(schema: Avro, path: str) -> Avro:
    parent, _, name = path.rpartition(".")
    return next(each for each in _record(schema, parent)["fields"] if each["name"] == name)


def _inner(avro: Avro) -> Avro:
    """The record in a nullable type or in an array."""
    if isinstance(avro, list):
        return _inner(avro[-1])
    return _inner(avro["items"]) if avro["type"] == "array" else avro
