"""Avro values taken apart by field, so that one field can be replaced by bytes that no honest writer makes."""

import json
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer
from pydantic import BaseModel

from schemas.schema_index import newest

MARKER = b"\xc3\x01"


def head(record: str) -> bytes:
    return MARKER + newest(record).fingerprint


def pieces(model: BaseModel) -> dict[str, bytes]:
    """The Avro binary of each field, in order. Together they are the value, less its head."""
    return _pieces(json.loads(newest(type(model).__name__).source), model.model_dump())


def value_with(model: BaseModel, **replaced: bytes) -> bytes:
    """The value of a model in which the bytes of these fields are others."""
    return head(type(model).__name__) + b"".join((pieces(model) | replaced).values())


def pieces_inside(model: BaseModel, field: str) -> dict[str, bytes]:
    """The same for a record that is a field of this one."""
    schema = json.loads(newest(type(model).__name__).source)
    inner = next(each["type"] for each in schema["fields"] if each["name"] == field)
    return _pieces(inner, model.model_dump()[field])


def _pieces(schema: Any, content: Any) -> dict[str, bytes]:
    return {each["name"]: _encoded(each["type"], content[each["name"]]) for each in schema["fields"]}


def _encoded(schema: Any, content: Any) -> bytes:
    buffer = BytesIO()
    schemaless_writer(buffer, parse_schema(schema), content, disable_tuple_notation=True)
    return buffer.getvalue()


def long(number: int) -> bytes:
    """An Avro int or long: zigzag, then seven bits a byte, the lowest first."""
    zigzag = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def string(text: bytes) -> bytes:
    """An Avro string or bytes."""
    return long(len(text)) + text
