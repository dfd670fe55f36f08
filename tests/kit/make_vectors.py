"""`python -m tests.kit.make_vectors`: writes `schemas/vectors/` anew. The same code makes the same bytes, so that a
change of the wire shows as a change of files.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from referral_bus.wire.avro_codec import HEAD, MARKER, encode
from referral_bus.wire.envelope import rfc3339
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.sealing import binding, pad
from referral_bus.wire.signing import signature_input
from schemas.events import ReferralEvent, StatusEvent
from schemas.schema_index import by_fingerprint
from tests.kit.vector_cases import Refused
from tests.kit.vector_federation import FEDERATION, NOW, public_of, register_file, sealing_key, signing_key
from tests.kit.vectors_accepted import Accepted, accepted
from tests.kit.vectors_malformed import unreadable
from tests.kit.vectors_unbelieved import unbelieved
from tests.kit.vectors_unopened import unopened


def vectors_folder() -> Path:
    return Path(str(resources.files("schemas"))) / "vectors"


def refused() -> Iterator[Refused]:
    return chain(unbelieved(), unreadable(), unopened())


def vector_files() -> Mapping[str, bytes]:
    """Everything in the folder, by path."""
    files = {"register.yaml": register_file(), "now.txt": f"{rfc3339(NOW)}\n".encode()}
    files |= {f"{vector.name}.json": _json(_accepted(vector)) for vector in accepted()}
    files |= {f"refused/{vector.name}.json": _json(_refused(vector)) for vector in refused()}
    return files


def _accepted(vector: Accepted) -> dict[str, Any]:
    raw = vector.raw
    headers = dict(raw.headers)
    found = {
        "about": vector.about,
        "here": vector.here,
        **_carried(raw),
        "signature_input": signature_input(
            FEDERATION, headers["rb_keyid"].decode(), raw.topic, raw.key, raw.value
        ).hex(),
        "signature": headers["rb_signature"].hex(),
        "signing_public_key": public_of(signing_key(vector.by)).hex(),
        "record": readable(vector.record),
    }
    if isinstance(vector.record, ReferralEvent | StatusEvent) and vector.body is not None:
        found |= _sealing(vector, vector.record, vector.body)
    return found


def _sealing(vector: Accepted, event: ReferralEvent | StatusEvent, body: BaseModel) -> dict[str, Any]:
    return {
        "sealing_private_key": sealing_key(vector.here).private_bytes_raw().hex(),
        "hpke_info": binding(event).hex(),
        "body_plaintext": pad(encode(body)).hex(),
        "sealed": event.sealed.hex(),
        "body": readable(body),
    }


def _refused(vector: Refused) -> dict[str, Any]:
    found = {
        "about": vector.about,
        "expected": vector.expected.value,
        "here": vector.here,
        **_carried(vector.raw),
    }
    if vector.opened:
        found["sealing_private_key"] = sealing_key(vector.here).private_bytes_raw().hex()
    return found


def _carried(raw: RawRecord) -> dict[str, Any]:
    """What Kafka carries."""
    schema = by_fingerprint().get(raw.value[len(MARKER) : HEAD]) if raw.value.startswith(MARKER) else None
    return {
        "schema": schema
        and {"record": schema.record, "version": schema.version, "fingerprint": schema.fingerprint.hex()},
        "topic": raw.topic,
        "key": raw.key.hex(),
        "value": raw.value.hex(),
        "headers": [[name, value.hex()] for name, value in raw.headers],
    }


def _schema(value: bytes) -> dict[str, Any] | None:
    """None where the value does not begin with a fingerprint that we know."""
    schema = by_fingerprint().get(value[len(MARKER) : HEAD]) if value.startswith(MARKER) else None
    if schema is None:
        return None
    return {"record": schema.record, "version": schema.version, "fingerprint": schema.fingerprint.hex()}


def readable(value: Any) -> Any:
    """For people: as JSON, bytes as hex. `sealed` stands elsewhere."""
    match value:
        case BaseModel():
            return {name: readable(getattr(value, name)) for name in type(value).model_fields if name != "sealed"}
        case tuple():
            return [readable(item) for item in value]
        case datetime():
            return rfc3339(value)
        case bytes():
            return value.hex()
        case UUID() | date() | Enum():
            return str(value)
        case _:
            return value


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def write_vectors(folder: Path) -> None:
    """Files of ours that are there and are made no longer are removed."""
    files = vector_files()
    for old in (path for kind in ("*.json", "refused/*.json") for path in folder.glob(kind)):
        if str(old.relative_to(folder)) not in files:
            old.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    write_vectors(vectors_folder())
