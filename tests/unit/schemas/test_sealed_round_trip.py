"""What a sealed model holds is what arrives: through Avro, and through JSON."""

import io
from typing import Any, cast

import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.code_lists import load_code_list, unknown_codes
from schemas.personal import ReferralBody, StatusBody
from schemas.schema_index import newest
from tests.kit.schemas.builders import a_body, a_status_body, read
from tests.kit.schemas.strategies import models

SEALED: list[type[BaseModel]] = [ReferralBody, StatusBody]
LARGEST_PADDING = 16 * 1024
LENGTH_AND_FINGERPRINT = 4 + 2 + 8


def encoded(model: BaseModel) -> bytes:
    buffer = io.BytesIO()
    schema = newest(type(model).__name__).parsed
    schemaless_writer(buffer, schema, model.model_dump(), strict=True, disable_tuple_notation=True)
    return buffer.getvalue()


def decoded(model: type[BaseModel], data: bytes) -> BaseModel:
    buffer = io.BytesIO(data)
    found = cast(dict[str, Any], schemaless_reader(buffer, newest(model.__name__).parsed, None))
    assert buffer.read() == b""
    return model.model_validate(found)


@pytest.mark.parametrize("model", SEALED)
@given(data=st.data())
def test_a_sealed_model_survives_avro_and_json_unchanged(model: type[BaseModel], data: st.DataObject) -> None:
    before = data.draw(models(model))
    assert decoded(model, encoded(before)) == before
    assert model.model_validate_json(before.model_dump_json()) == before
    assert unknown_codes(before) == ()


def test_a_name_arrives_in_the_very_characters_it_came_in() -> None:
    name = "Oʻgʻiloy Oʼgʼiloy O'g'iloy Ўғилой é é"
    body = a_body()
    body["person"]["name"] = name
    arrived = decoded(ReferralBody, encoded(read(ReferralBody, body)))
    assert isinstance(arrived, ReferralBody)
    assert arrived.person.name == name


def test_a_filled_status_body_arrives_as_it_was() -> None:
    before = read(StatusBody, a_status_body())
    assert decoded(StatusBody, encoded(before)) == before


def test_a_status_body_may_say_nothing() -> None:
    assert decoded(StatusBody, encoded(StatusBody())) == StatusBody()


def test_a_body_with_every_text_at_its_limit_in_cyrillic_fits_the_largest_padding() -> None:
    fullest = fill(ReferralBody, a_body())
    assert len(encoded(read(ReferralBody, fullest))) <= LARGEST_PADDING - LENGTH_AND_FINGERPRINT


def fill(model: type[BaseModel], data: dict[str, Any]) -> dict[str, Any]:
    """The data with every text grown to its limit and every list of codes complete."""
    grown = dict(data)
    for name, value in data.items():
        field = model.model_fields[name]
        if isinstance(value, dict):
            grown[name] = fill(
                next(part for part in (field.annotation, *args(field.annotation)) if is_model(part)), value
            )
        elif isinstance(value, str) and (limit := text_limit(field)):
            grown[name] = "Ў" * limit
    for name, list_name in {"languages": "language", "service_types": "service_types", "purposes": "purposes"}.items():
        if name in grown:
            grown[name] = [entry.code for entry in load_code_list(list_name).codes]
    if "identifiers" in grown:
        grown["identifiers"] = [{"scheme": "id-card", "value": f"{digit}" + "Ў" * 59} for digit in range(5)]
    if "data_categories" in grown:
        grown["data_categories"] = [entry.code for entry in load_code_list("data_categories").codes]
        grown["withheld"] = []
    return grown


def args(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def text_limit(field: Any) -> int:
    rules = [*field.metadata, *(rule for part in args(field.annotation) for rule in getattr(part, "__metadata__", ()))]
    return next((rule.max_length for rule in rules if "\\s" in str(getattr(rule, "pattern", ""))), 0)
