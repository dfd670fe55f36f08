"""The shipped test vectors: our reader takes each, and refuses each with the code that it says."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from referral_bus.federation.register import Register, parse_register
from referral_bus.wire.record import Authentic, Unbelieved, Undecoded, Unopened, authenticate, open_body
from schemas.events import ReferralEvent, StatusEvent
from schemas.outcomes import Code
from schemas.schema_index import MODELS
from tests.kit.make_vectors import readable, vector_files, write_vectors
from tests.kit.vector_files import Vector, accepted_vectors, now, refused_vectors, register_bytes, vectors

Test = TypeVar("Test", bound=Callable[..., None])
REGISTER: Register = parse_register(register_bytes(), {"health", "education", "legal-aid"})


def each(found: tuple[Vector, ...]) -> Callable[[Test], Test]:
    return pytest.mark.parametrize("vector", found, ids=lambda vector: vector.name)


each_accepted = each(accepted_vectors())
each_sealed = each(tuple(vector for vector in accepted_vectors() if vector.is_sealed))


def code_of(vector: Vector) -> Code | None:
    """What our reader says: the code of a record that it refuses."""
    found = authenticate(vector.raw, REGISTER, vector.here, now())
    if isinstance(found, Undecoded | Unbelieved):
        return found.code
    if not isinstance(found.record, ReferralEvent | StatusEvent):
        return None
    body = open_body(found.record, vector.find_key)
    return body.code if isinstance(body, Unopened) else None


# our own reader


@each_accepted
def test_we_read_what_a_vector_says(vector: Vector) -> None:
    found = authenticate(vector.raw, REGISTER, vector.here, now())
    assert isinstance(found, Authentic)
    assert readable(found.record) == vector.content["record"]
    assert found.record.record == vector.content["schema"]["record"]


@each_sealed
def test_we_open_what_another_implementation_has_sealed(vector: Vector) -> None:
    found = authenticate(vector.raw, REGISTER, vector.here, now())
    assert isinstance(found, Authentic)
    assert isinstance(found.record, ReferralEvent | StatusEvent)
    body = open_body(found.record, vector.find_key)
    assert not isinstance(body, Unopened)
    assert readable(body) == vector.content["body"]


@each(refused_vectors())
def test_we_refuse_what_must_be_refused_with_its_code(vector: Vector) -> None:
    assert code_of(vector) == vector.content["expected"]


# the collection itself


def test_every_record_has_a_vector_and_every_padding_too() -> None:
    records = {vector.content["schema"]["record"] for vector in accepted_vectors()}
    assert records == {record for record in MODELS if not record.endswith("Body")}
    sizes = {len(vector.hex("body_plaintext")) for vector in accepted_vectors() if vector.is_sealed}
    assert sizes == {1024, 2048, 4096, 8192, 16384}


def test_every_code_that_needs_no_ledger_is_refused_somewhere() -> None:
    expected = Counter(vector.content["expected"] for vector in refused_vectors())
    assert set(expected) == {
        "TOO_LARGE",
        "SIGNATURE_INVALID",
        "SENDER_UNKNOWN",
        "SENDER_REVOKED",
        "NOT_ADDRESSED_HERE",
        "MALFORMED",
        "SCHEMA_UNKNOWN",
        "VALUE_REFUSED",
        "OPEN_FAILED",
    }
    assert sum(expected.values()) >= 30


@each(refused_vectors())
def test_a_refused_vector_has_what_is_needed_to_refuse_it(vector: Vector) -> None:
    sealed_codes = {"OPEN_FAILED", "VALUE_REFUSED"}
    assert vector.content["about"].endswith(".")
    assert ("sealing_private_key" in vector.content) == (
        vector.content["expected"] in sealed_codes or vector.name == "schema-unknown-body-of-tomorrow"
    )


def test_the_files_are_what_the_code_makes_today(tmp_path: Any) -> None:
    """When this fails the wire has changed, or a vector has: `python -m tests.kit.make_vectors` makes them anew."""
    (tmp_path / "refused").mkdir()
    (tmp_path / "refused" / "gone.json").write_text("{}")
    write_vectors(tmp_path)
    made = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = {name: (vectors() / name).read_bytes() for name in vector_files()}
    assert [name for name, content in made.items() if found.get(name) != content] == []
    assert len(made) == len(found) == len(accepted_vectors()) + len(refused_vectors()) + 2
