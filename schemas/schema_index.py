"""The schemas that this software can read, by the fingerprint with which each value begins."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from fastavro import parse_schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas import events, personal

MODELS = MappingProxyType(
    {
        model.__name__: model
        for model in (
            events.ReferralEvent,
            events.StatusEvent,
            events.ErasureEvent,
            events.StorageReceipt,
            events.AgencyAnnouncement,
            events.DeadLetterNotice,
            events.RegisterVersion,
            personal.ReferralBody,
            personal.StatusBody,
        )
    }
)


@dataclass(frozen=True, slots=True)
class IndexedSchema:
    """One version of a record's schema. `fingerprint` is CRC-64-AVRO of the canonical form, 8 bytes little-endian, as
    the Avro specification has it. `parsed` is the schema as fastavro needs it, `source` the text of its file."""

    record: str
    version: int
    fingerprint: bytes
    parsed: Any
    source: str

    @property
    def model(self) -> type[Any]:
        return MODELS[self.record]


def index_schema(record: str, version: int, source: str) -> IndexedSchema:
    raw = json.loads(source)
    digest = bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"))
    return IndexedSchema(record, version, digest, parse_schema(raw), source)


@cache
def by_fingerprint() -> Mapping[bytes, IndexedSchema]:
    """The schemas in `avro/`. They are parsed once, since parsing a schema costs more than decoding a value."""
    found: dict[bytes, IndexedSchema] = {}
    for file in (resources.files("schemas") / "avro").iterdir():
        record, version, suffix = file.name.split(".")
        if suffix == "avsc":
            schema = index_schema(record, int(version.removeprefix("v")), file.read_text(encoding="utf-8"))
            found[schema.fingerprint] = schema
    return MappingProxyType(found)


@cache
def newest(record: str) -> IndexedSchema:
    """The highest version of a record's schema, with which this software writes."""
    return max((s for s in by_fingerprint().values() if s.record == record), key=lambda schema: schema.version)
