"""Every schema we can read, by the fingerprint that stands in front of each value."""

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
    """One version of one record. `fingerprint` is CRC-64-AVRO of the canonical form, little-endian, 8 bytes."""

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
    """The shipped schemas. Parsed once, since parsing costs more than decoding."""
    found: dict[bytes, IndexedSchema] = {}
    for file in (resources.files("schemas") / "avro").iterdir():
        record, version, suffix = file.name.split(".")
        if suffix == "avsc":
            schema = index_schema(record, int(version.removeprefix("v")), file.read_text(encoding="utf-8"))
            found[schema.fingerprint] = schema
    return MappingProxyType(found)


@cache
def newest(record: str) -> IndexedSchema:
    """The version we write."""
    return max((s for s in by_fingerprint().values() if s.record == record), key=lambda schema: schema.version)
