"""Each model is its schema, field by field. A model that says something else fails here."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from schemas.personal import ReferralBody, SealedRecord
from schemas.schema_index import MODELS, IndexedSchema, by_fingerprint, newest
from tests.kit.schemas.agreement import disagreements

SHIPPED = sorted(by_fingerprint().values(), key=lambda schema: (schema.record, schema.version))


@pytest.mark.parametrize("schema", SHIPPED, ids=lambda schema: f"{schema.record}.v{schema.version}")
def test_a_model_agrees_with_the_newest_version_of_its_schema(schema: IndexedSchema) -> None:
    raw = json.loads(newest(schema.record).source)
    assert disagreements(schema.model, raw, same_defaults=issubclass(schema.model, SealedRecord)) == []


def test_every_model_has_a_schema_and_every_schema_a_model() -> None:
    assert {schema.record for schema in SHIPPED} == set(MODELS)


def field(record: Any, path: str) -> Any:
    """The field's declaration in the schema, through records, nullable ones and arrays of them."""
    for name in path.split("."):
        found = next(each for each in record["fields"] if each["name"] == name)
        inner = found["type"][1] if isinstance(found["type"], list) else found["type"]
        record = inner.get("items", inner) if isinstance(inner, dict) else inner
    return found


def rename(schema: Any) -> None:
    field(schema, "consent.basis")["name"] = "ground"


def reorder(schema: Any) -> None:
    field(schema, "request")["type"]["fields"].reverse()


def leave_out(schema: Any) -> None:
    field(schema, "safe_contact")["type"]["fields"].pop()


def rename_a_record(schema: Any) -> None:
    field(schema, "follow_up")["type"][1]["name"] = "Followup"


def retype(path: str, avro: Any) -> Callable[[Any], None]:
    def change(schema: Any) -> None:
        field(schema, path)["type"] = avro

    return change


def change_default(schema: Any) -> None:
    field(schema, "consent.onward_sharing")["default"] = True


def take_default(schema: Any) -> None:
    del field(schema, "person.languages")["default"]


def give_default(schema: Any) -> None:
    field(schema, "request.service_types")["default"] = []


SPOILT: list[tuple[Callable[[Any], None], str]] = [
    (rename, "ReferralBody.consent"),
    (reorder, "ReferralBody.request"),
    (leave_out, "ReferralBody.safe_contact"),
    (rename_a_record, "ReferralBody.follow_up"),
    (retype("caregiver.name", "string"), "ReferralBody.caregiver.name"),
    (retype("request.need", ["null", "string"]), "ReferralBody.request.need"),
    (retype("person.subject_ref", "string"), "ReferralBody.person.subject_ref"),
    (retype("person.identifiers.value", "bytes"), "ReferralBody.person.identifiers[].value"),
    (retype("person.date_of_birth", ["null", "int"]), "ReferralBody.person.date_of_birth"),
    (retype("person.age_estimate", ["null", "string"]), "ReferralBody.person.age_estimate"),
    (retype("person.languages", "string"), "ReferralBody.person.languages"),
    (retype("person", "string"), "ReferralBody.person"),
    (
        retype("consent.attested_at", {"type": "long", "logicalType": "timestamp-micros"}),
        "ReferralBody.consent.attested_at",
    ),
    (change_default, "ReferralBody.consent.onward_sharing"),
    (take_default, "ReferralBody.person.languages"),
    (give_default, "ReferralBody.request.service_types"),
]


@pytest.mark.parametrize(("spoil", "path"), SPOILT)
def test_each_kind_of_disagreement_is_seen(spoil: Callable[[Any], None], path: str) -> None:
    schema = json.loads(newest("ReferralBody").source)
    assert disagreements(ReferralBody, schema, same_defaults=True) == []
    spoil(schema)
    assert [found.partition(": ")[0] for found in disagreements(ReferralBody, schema, same_defaults=True)] == [path]


def test_an_integer_must_fit_its_avro_type() -> None:
    class Counted(BaseModel):
        count: int

    schema = {"type": "record", "name": "Counted", "fields": [{"name": "count", "type": "long"}]}
    assert len(disagreements(Counted, schema, same_defaults=True)) == 1


def test_fixed_bytes_have_the_size_of_the_schema() -> None:
    receipt = json.loads(newest("StorageReceipt").source)
    wrong = copy.deepcopy(receipt)
    field(wrong, "items.value_sha256")["type"]["size"] = 20
    assert len(disagreements(MODELS["StorageReceipt"], wrong, same_defaults=False)) == 1
