"""Avro single-object encoding: `C3 01`, the schema's fingerprint, the Avro binary. Each value has one encoding, and
`decode` refuses every other."""

from io import BytesIO
from typing import Any

from fastavro import schemaless_reader, schemaless_writer
from pydantic import BaseModel, ValidationError

from schemas.events import AnyRecord
from schemas.outcomes import Code
from schemas.personal import ReferralBody, StatusBody
from schemas.problems import problems
from schemas.schema_index import IndexedSchema, by_fingerprint, newest

Decoded = AnyRecord | ReferralBody | StatusBody
MARKER = b"\xc3\x01"
HEAD = len(MARKER) + 8  # marker and fingerprint
MAX_VALUE = 64 * 1024  # bytes; the largest event of our software takes a third of it
MAX_ITEMS = 500  # in one array; no model accepts more
_CONTAINERS = (dict, list)


class Undecodable(Exception):
    """The bytes are no value of a known schema. Holds a code and a schema path, never a value."""

    def __init__(self, code: Code, path: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.path = path


def encode(record: BaseModel) -> bytes:
    """The value of a clear record or a body, in the newest schema of its name."""
    schema = newest(type(record).__name__)
    return MARKER + schema.fingerprint + _write(schema, record.model_dump())


def decode(value: bytes) -> Decoded:
    """The model of a value. Raises `Undecodable` with TOO_LARGE, SCHEMA_UNKNOWN, MALFORMED or VALUE_REFUSED.

    The work is bounded: the input has 64 KiB at most, and in every schema an array's item takes at least one byte, so
    no count in the input can make more objects than there are bytes; an array over 500 items is refused before its
    items are validated. fastavro reads leniently (bytes left over, over-long numbers, branch -1, boolean 7, ids in
    another spelling), so a value that does not encode to the same bytes again is MALFORMED.
    """
    if len(value) > MAX_VALUE:
        raise Undecodable(Code.TOO_LARGE)
    if len(value) < HEAD or value[:2] != MARKER:
        raise Undecodable(Code.MALFORMED)
    schema = by_fingerprint().get(value[2:HEAD])
    if schema is None:
        raise Undecodable(Code.SCHEMA_UNKNOWN)
    content = _read(schema, value[HEAD:])
    try:
        model: Decoded = schema.model.model_validate(content)
    except ValidationError as error:
        raise Undecodable(Code.VALUE_REFUSED, problems(error)[0].path) from None
    return model


def _read(schema: IndexedSchema, binary: bytes) -> Any:
    try:
        content = schemaless_reader(BytesIO(binary), schema.parsed, None)
        same = not _overlong(content) and _write(schema, content) == binary
    except Exception:  # noqa: BLE001 # hostile bytes make fastavro raise anything from EOFError to OverflowError
        raise Undecodable(Code.MALFORMED) from None
    if not same:
        raise Undecodable(Code.MALFORMED)
    return content


def _overlong(content: Any) -> bool:
    """Whether an array is longer than any model accepts. pydantic would validate and report each of its items."""
    for value in content.values() if type(content) is dict else content:
        kind = type(value)
        if kind is list and len(value) > MAX_ITEMS:
            return True
        if kind in _CONTAINERS and _overlong(value):
            return True
    return False


def _write(schema: IndexedSchema, content: Any) -> bytes:
    buffer = BytesIO()
    schemaless_writer(buffer, schema.parsed, content, disable_tuple_notation=True)
    return buffer.getvalue()
