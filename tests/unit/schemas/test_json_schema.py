"""The JSON Schema of requests takes what the models take, and refuses what one field alone makes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.referral_request import json_schema
from tests.kit.json_schema import mismatches
from tests.kit.people import RECIPIENT, request_document

EXAMPLES = sorted((Path(__file__).parents[3] / "schemas" / "examples").glob("*.json"))


def _mismatches(document: Any) -> list[str]:
    schema = json.loads(json.dumps(json_schema()))
    return mismatches(document, schema, schema)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_fits(file: Path) -> None:
    assert _mismatches(json.loads(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("path", "value", "keyword"),
    [
        ("priority", "soon", "enum"),
        ("body.request.service_types", ["mhpss", "no-such-service"], "enum"),
        ("body.request.need", " ", "pattern"),
        ("body.request.need", "x" * 1501, "maxLength"),
        ("body.person.age_estimate", 131, "maximum"),
        ("body.safe_contact.may_leave_message", "yes", "type"),
        ("body.person.nickname", "x", "additionalProperties"),
    ],
)
def test_what_is_wrong_in_a_field_does_not_fit(path: str, value: object, keyword: str) -> None:
    document = request_document(RECIPIENT)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    place[last] = value
    [found] = _mismatches(document)
    assert found.endswith(f": {keyword}")


def test_a_field_that_is_needed_is_asked_for() -> None:
    document = request_document(RECIPIENT)
    del document["body"]["consent"]
    assert _mismatches(document) == ["$.body.consent: required"]
