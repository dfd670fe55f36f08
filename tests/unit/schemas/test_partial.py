"""What can be judged of a document in which something is malformed."""

import json
from typing import Any

import pytest

from schemas.partial import broken_rules, partly
from schemas.personal import SealedRecord
from schemas.referral_request import ReferralRequest
from tests.kit.full_referral import FULL
from tests.kit.people import RECIPIENT, request_document


def document(**body: Any) -> dict[str, Any]:
    return request_document(RECIPIENT) | {"body": FULL | body}


def test_of_a_document_without_mistakes_everything_is_there() -> None:
    whole = ReferralRequest.model_validate_json(json.dumps(document()))
    assert partly(ReferralRequest, document()) == whole
    assert list(broken_rules(whole)) == []


@pytest.mark.parametrize("malformed", [7731, [7731], "PLANTED-7731", None], ids=str)
@pytest.mark.parametrize("name", [*FULL, "unknown"])
def test_whatever_stands_in_a_field_the_others_are_there(name: str, malformed: Any) -> None:
    part = partly(ReferralRequest, document(**{name: malformed}))
    for other in FULL.keys() - {name}:
        assert isinstance(getattr(part.body, other), SealedRecord)


def test_a_malformed_field_is_not_there_even_where_it_has_a_default() -> None:
    part = partly(ReferralRequest, document(person=FULL["person"] | {"age_estimate": "PLANTED-7731"}))
    with pytest.raises(AttributeError):
        part.body.person.age_estimate  # noqa: B018
