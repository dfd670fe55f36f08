"""Where a model and its Avro schema disagree: names, order, nullability, defaults, types, sizes, nesting."""

import types
import typing
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

PLAIN = {
    str: "string",
    bool: "boolean",
    UUID: {"type": "string", "logicalType": "uuid"},
    datetime: {"type": "long", "logicalType": "timestamp-millis"},
    date: {"type": "int", "logicalType": "date"},
}
LIMITS = {"int": 2**31, "long": 2**63}


def disagreements(model: type[BaseModel], record: Any, same_defaults: bool) -> list[str]:
    """One line each. With `same_defaults` a field may be left out in both or in neither; otherwise the schema, for old
    records, may have a default where our code must always say."""
    return list(_record(model, record, model.__name__, same_defaults))


def _record(model: type[BaseModel], record: Any, path: str, same_defaults: bool) -> Iterator[str]:
    if record.get("type") != "record" or record["name"] != model.__name__:
        yield f"{path}: not the record {model.__name__}"
        return
    in_model, in_schema = list(model.model_fields), [each["name"] for each in record["fields"]]
    if in_model != in_schema:
        yield f"{path}: fields {in_model} and {in_schema}"
        return
    for each in record["fields"]:
        field, inner = model.model_fields[each["name"]], f"{path}.{each['name']}"
        yield from _type(field.annotation, tuple(field.metadata), each["type"], inner, same_defaults)
        if not field.is_required() or same_defaults:
            ours = None if field.is_required() else [field.default]
            theirs = [_from_avro(each["default"])] if "default" in each else None
            if ours != theirs:
                yield f"{inner}: default"


def _type(annotation: Any, rules: tuple[Any, ...], avro: Any, path: str, same_defaults: bool) -> Iterator[str]:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _type(args[0], (*rules, *args[1:]), avro, path, same_defaults)
    elif origin in (typing.Union, types.UnionType):
        if not isinstance(avro, list) or avro[0] != "null" or len(avro) != 2:
            yield f"{path}: nullable"
        else:
            inner = next(arg for arg in args if arg is not type(None))
            yield from _type(inner, rules, avro[1], path, same_defaults)
    elif origin is tuple:
        if not isinstance(avro, dict) or avro["type"] != "array":
            yield f"{path}: array"
        else:
            yield from _type(args[0], (), avro["items"], f"{path}[]", same_defaults)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _record(annotation, avro, path, same_defaults) if isinstance(avro, dict) else [f"{path}: record"]
    elif not _same_scalar(annotation, rules, avro):
        yield f"{path}: {getattr(annotation, '__name__', annotation)} and {avro}"


def _same_scalar(annotation: Any, rules: tuple[Any, ...], avro: Any) -> bool:
    if annotation is bytes:
        sizes = {_rule(rules, "min_length"), _rule(rules, "max_length")}
        return avro == "bytes" or (isinstance(avro, dict) and avro["type"] == "fixed" and sizes == {avro["size"]})
    if annotation is int:
        least, below, most = _rule(rules, "ge"), _rule(rules, "lt"), _rule(rules, "le")
        top = below - 1 if below is not None else most
        return avro in LIMITS and least is not None and top is not None and -LIMITS[avro] <= least <= top < LIMITS[avro]
    return bool(PLAIN.get(annotation) == avro)


def _rule(rules: tuple[Any, ...], name: str) -> Any:
    found = (getattr(part, name, None) for rule in rules for part in (rule, *getattr(rule, "metadata", ())))
    return next((value for value in found if value is not None), None)


def _from_avro(default: Any) -> Any:
    return tuple(default) if isinstance(default, list) else default
