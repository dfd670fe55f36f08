"""Writes generated data with one version of a schema and reads it with the other through fastavro, in both directions.

Each value must pass three checks: the reader can read it; every field that both versions have holds what was written,
and every other one its default; and the value read can be written and read again with the reader's own schema. fastavro
reads logical types by the writer's schema, so only the third check finds microseconds at a reader of milliseconds.
"""

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.schema_shape import Shape, shape_of, short_name

VALUES = 40
SEED = 20260101
"""An arbitrary number; it is fixed so that every run generates the same values and reports the same findings."""

_SIGNS = string.ascii_letters + string.digits + "  -.,oʻgʻ’ёЖқҳ\n\u00a0漢\U0001f33f"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=365 * 200)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A place where a generated value did not survive. `writer` is the version that it was written with. Never holds a
    value."""

    path: str
    kind: Literal["unreadable", "value_changed"]
    writer: Literal["old", "new"]


def mismatches(old: Any, new: Any, values: int = VALUES, seed: int = SEED) -> tuple[Mismatch, ...]:
    """Every place where a generated value does not survive, each once. The schemas are parsed JSON and must have no
    recursion. `values` is how many values are generated with each version."""
    before, after = _Version.of(old), _Version.of(new)
    found: dict[Mismatch, None] = {}
    for name, writer, reader in (("old", before, after), ("new", after, before)):
        for value in generated(writer.shape, values, seed):
            for path, kind in _differences(value, writer, reader):
                found[Mismatch(path, kind, "old" if name == "old" else "new")] = None
    return tuple(found)


def generated(shape: Shape, values: int, seed: int) -> Iterator[Any]:
    """Values of a schema as Python objects: the first has no optional part, the second every one, the others a random
    choice of them."""
    chance = random.Random(seed)  # noqa: S311 # test data
    for number in range(values):
        fill = {0: 0.0, 1: 1.0}.get(number, 0.6)
        yield _value(shape, chance, fill)


@dataclass(frozen=True, slots=True)
class _Version:
    parsed: Any
    shape: Shape

    @classmethod
    def of(cls, raw: Any) -> "_Version":
        return cls(parse_schema(raw), shape_of(raw))

    def write(self, value: Any) -> bytes:
        buffer = BytesIO()
        schemaless_writer(buffer, self.parsed, value, strict=True, disable_tuple_notation=True)
        return buffer.getvalue()


def _differences(
    value: Any, writer: _Version, reader: _Version
) -> Iterator[tuple[str, Literal["unreadable", "value_changed"]]]:
    root = short_name(reader.shape)
    binary = writer.write(value)
    try:
        seen = schemaless_reader(BytesIO(binary), writer.parsed, reader.parsed)
        again = schemaless_reader(BytesIO(reader.write(seen)), reader.parsed, None)
    except Exception:  # noqa: BLE001 # any exception means that fastavro could not read; messages quote the value
        yield root, "unreadable"
        return
    for path in _unlike(value, seen, writer.shape, reader.shape, root):
        yield path, "value_changed"
    for path in _unlike(seen, again, reader.shape, reader.shape, root):
        yield path, "value_changed"


def _unlike(written: Any, seen: Any, writer: Shape, reader: Shape, path: str) -> Iterator[str]:
    """The paths at which the value read differs from the value written."""
    match writer.kind, reader.kind:
        case ("union", "union") if written is not None and seen is not None:
            yield from _unlike(written, seen, writer.parts[-1], reader.parts[-1], path)
        case "array", "array":
            if len(written) != len(seen):
                yield path
            for item, item_seen in zip(written, seen, strict=False):
                yield from _unlike(item, item_seen, writer.parts[0], reader.parts[0], f"{path}[]")
        case "record", "record":
            before = {each.name: each.shape for each in writer.fields}
            for each in reader.fields:
                inner, value = f"{path}.{each.name}", seen[each.name]
                if each.name in before:
                    yield from _unlike(written[each.name], value, before[each.name], each.shape, inner)
                elif not each.default or not _same(value, each.default[0]):
                    yield inner
        case _:
            if not _same(written, seen):
                yield path


def _same(written: Any, seen: Any) -> bool:
    """Equal and of the same type: 1 and True are equal in Python, yet differ here."""
    return type(written) is type(seen) and bool(written == seen)


def _value(shape: Shape, chance: random.Random, fill: float) -> Any:
    """`fill`, from 0 to 1, is the probability that an optional value is not null, and that an array has items."""
    match shape.kind:
        case "union":
            return _value(shape.parts[-1], chance, fill) if chance.random() < fill else None
        case "array":
            count = chance.randint(1, 3) if chance.random() < fill else 0
            return [_value(shape.parts[0], chance, fill) for _ in range(count)]
        case "record":
            return {each.name: _value(each.shape, chance, fill) for each in shape.fields}
        case "fixed":
            return chance.randbytes(shape.size)
        case _:
            return SIMPLE_TYPES[shape.kind, shape.logical](chance)


def _text(chance: random.Random) -> str:
    return "".join(chance.choices(_SIGNS, k=chance.randint(0, 12)))


def _whole(bits: int) -> Callable[[random.Random], int]:
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda chance: chance.choice((0, 1, -1, least, most, chance.randint(least, most)))


def _time(unit: timedelta) -> Callable[[random.Random], datetime]:
    return lambda chance: _EPOCH + unit * chance.randint(-(_LONGEST // unit), _LONGEST // unit)


SIMPLE_TYPES: MappingProxyType[tuple[str, str], Callable[[random.Random], Any]] = MappingProxyType(
    {
        ("null", ""): lambda _: None,
        ("boolean", ""): lambda chance: chance.random() < 0.5,
        ("int", ""): _whole(32),
        ("long", ""): _whole(64),
        ("float", ""): lambda chance: chance.randint(-(2**20), 2**20) / 64,  # exact in 32 bits
        ("double", ""): lambda chance: chance.uniform(-1e9, 1e9),
        ("bytes", ""): lambda chance: chance.randbytes(chance.randint(0, 12)),
        ("string", ""): _text,
        ("string", "uuid"): lambda chance: UUID(int=chance.getrandbits(128)),
        ("int", "date"): lambda chance: date(1900, 1, 1) + timedelta(days=chance.randint(0, 73_000)),
        ("long", "timestamp-millis"): _time(timedelta(milliseconds=1)),
        ("long", "timestamp-micros"): _time(timedelta(microseconds=1)),
    }
)
"""A generator of values for each pair of type and logical type. `evolution` refuses every logical type without one."""
