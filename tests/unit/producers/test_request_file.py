"""What `publish FILE` reads: one referral or a list, refused with one reason and the field, never a value."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from producers.request_file import MAX_FILE, parse, read_requests
from referral_bus.errors import Reason, Refused, RefusedEach, Unreachable
from schemas.code_lists import form_of
from schemas.personal import Consent
from schemas.referral_request import MOST_REQUESTS
from tests.kit.full_referral import FULL
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, RECIPIENT, THIRD, request, request_document

NO_INPUT = BytesIO()


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _refusal(content: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        parse(content)
    for planted in (PLANTED_NAME, PLANTED_NEED):
        assert planted not in str(refused.value)
    return refused.value


def test_one_referral_is_read() -> None:
    assert parse(_json(request_document(RECIPIENT))) == (request(RECIPIENT),)


def test_a_list_is_read_in_its_order() -> None:
    assert parse(_json([request_document(code) for code in (THIRD, RECIPIENT)])) == (request(THIRD), request(RECIPIENT))


def test_a_file_and_standard_input_are_read_alike(tmp_path: Path) -> None:
    content = _json(request_document(RECIPIENT))
    (tmp_path / "one.json").write_bytes(content)
    assert read_requests(str(tmp_path / "one.json"), lambda: NO_INPUT) == read_requests("-", lambda: BytesIO(content))


def _without_need(document: dict[str, Any]) -> None:
    del document["body"]["request"]["need"]


def _misspelt(document: dict[str, Any]) -> None:
    document["body"]["person"][PLANTED_NAME] = PLANTED_NEED


def _wrong_type(document: dict[str, Any]) -> None:
    document["body"]["safe_contact"]["may_leave_message"] = "yes"


def _naive(document: dict[str, Any]) -> None:
    document["body"]["consent"]["attested_at"] = "2026-11-20T10:00:00"


def _too_long(document: dict[str, Any]) -> None:
    document["body"]["request"]["need"] = PLANTED_NEED * 100


def _bad_value(document: dict[str, Any]) -> None:
    document["body"]["consent"]["expires_at"] = "2026-11-19T10:00:00+05:00"


@pytest.mark.parametrize(
    ("spoil", "reason", "path"),
    [
        (_without_need, Reason.FIELD_MISSING, "body.request.need"),
        (_misspelt, Reason.FIELD_UNKNOWN, "body.person"),
        (_wrong_type, Reason.TYPE_WRONG, "body.safe_contact.may_leave_message"),
        (_naive, Reason.TIME_NAIVE, "body.consent.attested_at"),
        (_too_long, Reason.TOO_LARGE, "body.request.need"),
        (_bad_value, Reason.VALUE_REFUSED, "body.consent.expires_at"),
    ],
)
def test_what_is_wrong_in_a_field_is_told_by_its_path(
    spoil: Callable[[dict[str, Any]], None], reason: Reason, path: str
) -> None:
    document = request_document(RECIPIENT)
    spoil(document)
    error = _refusal(_json(document))
    assert (error.reason, error.path) == (reason, path)


def test_in_a_list_the_path_begins_with_the_place() -> None:
    documents = [request_document(RECIPIENT) for _ in range(3)]
    _without_need(documents[2])
    assert _refusal(_json(documents)).path == "[2].body.request.need"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \n",
        b"no JSON at all " + PLANTED_NAME.encode(),
        PLANTED_NAME.encode("utf-16"),
        b'{"recipient": ',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=["nothing", "blanks", "prose", "utf-16", "cut off", "too deep", "no text"],
)
def test_what_is_no_json_is_refused_as_such(content: bytes) -> None:
    assert _refusal(content).reason is Reason.NOT_JSON


@pytest.mark.parametrize("document", [[], None, 7, "text", [[request_document(RECIPIENT)]]])
def test_json_that_is_no_referral_is_refused(document: object) -> None:
    _refusal(_json(document))


def test_a_field_that_stands_twice_among_very_many_is_found_in_one_pass() -> None:
    fields = b",".join(b'"f%d":1' % number for number in range(100_000))
    began = process_time()
    _refusal(b"{" + fields + b',"f0":1}')
    assert process_time() - began < 20  # comparing each with each takes a quarter of an hour


def test_a_full_list_is_within_the_bounds() -> None:
    full = request_document(RECIPIENT) | {"body": FULL | {"consent": FULL["consent"] | {"recipient": RECIPIENT}}}
    assert len(parse(_json([full] * MOST_REQUESTS))) == MOST_REQUESTS


def test_a_list_has_a_longest_length() -> None:
    assert _refusal(_json([request_document(RECIPIENT)] * (MOST_REQUESTS + 1))).reason is Reason.TOO_LARGE


def test_a_file_over_16_mib_is_not_read_whole() -> None:
    with pytest.raises(Refused) as refused:
        read_requests("-", lambda: BytesIO(b" " * (MAX_FILE + 1)))
    assert refused.value.reason is Reason.TOO_LARGE


def test_a_folder_a_missing_file_and_an_unreadable_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Refused) as folder:
        read_requests(str(tmp_path), lambda: NO_INPUT)
    with pytest.raises(Refused) as missing:
        read_requests(str(tmp_path / "missing.json"), lambda: NO_INPUT)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(Unreachable) as unreadable:
        read_requests(str(tmp_path / "loop"), lambda: NO_INPUT)
    reasons = (folder.value.reason, missing.value.reason, unreadable.value.reason)
    assert reasons == (Reason.NOT_JSON, Reason.FILE_UNREADABLE, Reason.FILE_UNREADABLE)


def test_line_ends_and_tabs_of_forms_and_word_processors_are_made_ours() -> None:
    document = request_document(RECIPIENT)
    document["body"]["request"]["need"] = "One\r\ntwo\rthree\u2028four\u2029five\x0bsix\x85seven\teight"
    [read] = parse(_json(document))
    assert read.body.request.need == "One\ntwo\nthree\nfour\nfive\nsix\nseven eight"


@pytest.mark.parametrize(
    ("text", "character"), [("a\x1bb", "U+001B"), ("a\u202eb", "U+202E"), ("a\r\nb", "U+000A"), ("\ud83d", "U+D83D")]
)
def test_a_refused_character_is_named_by_its_code_point(text: str, character: str) -> None:
    document = request_document(RECIPIENT)
    document["body"]["person"]["name"] = f"{PLANTED_NAME}{text}"
    error = _refusal(_json(document))
    assert error.reason is Reason.VALUE_REFUSED
    assert character in error.advice


def test_every_mistake_of_a_list_is_named_with_what_is_taken_there() -> None:
    documents = [request_document(RECIPIENT) for _ in range(3)]
    documents[0]["body"]["person"]["age_estimate"] = "x"
    documents[1]["body"]["consent"]["method"] = "By Word"
    del documents[2]["priority"]
    error = _refusal(_json(documents))
    assert isinstance(error, RefusedEach)
    assert [(each.path, each.advice.partition("accepted: ")[2]) for each in error.each] == [
        ("[0].body.person.age_estimate", "a whole number"),
        ("[1].body.consent.method", form_of("consent_method")),
        ("[2].priority", "one of routine, urgent, stat"),
    ]


def test_an_unknown_code_of_a_list_is_named_beside_mistakes_of_form() -> None:
    documents = [request_document(RECIPIENT) for _ in range(3)]
    documents[0]["body"]["person"]["age_estimate"] = "x"
    documents[1]["priority"] = "soon"
    documents[2]["body"]["request"]["need"] = ""
    error = _refusal(_json(documents))
    assert isinstance(error, RefusedEach)
    paths = ["[0].body.person.age_estimate", "[1].priority", "[2].body.request.need"]
    assert [each.path for each in error.each] == paths


def test_a_long_list_of_codes_is_not_spelled_out() -> None:
    document = request_document(RECIPIENT)
    document["body"]["request"]["service_types"] = ["By Word"]
    assert _refusal(_json(document)).advice.endswith("which `referral-bus codes service_types` shows")


def test_json_that_does_not_parse_is_told_by_line_and_column() -> None:
    assert _refusal(b'{\n  "recipient": x}').path == "line 2, column 16"


def test_a_field_that_stands_twice_is_named_beside_what_is_missing_or_unknown() -> None:
    document = request_document(RECIPIENT)
    del document["body"]["consent"]["method"]
    document[PLANTED_NAME] = {"need": 1}
    text = json.dumps(document)
    twice = f'{{"priority": "stat", "{PLANTED_NAME}": 1, {text[1:]}'.replace('"need": "', '"need": "x", "need": "')
    error = _refusal(twice.encode())
    assert isinstance(error, RefusedEach)
    assert {(each.reason, each.path) for each in error.each} == {
        (Reason.FIELD_MISSING, "body.consent.method"),
        (Reason.FIELD_UNKNOWN, None),
        (Reason.VALUE_REFUSED, "priority"),
        (Reason.VALUE_REFUSED, "body.request.need"),
    }


def test_an_unknown_field_is_told_the_names_that_its_object_takes() -> None:
    document = request_document(RECIPIENT)
    document["body"]["consent"][PLANTED_NAME] = 1
    error = _refusal(_json(document))
    assert (error.reason, error.path) == (Reason.FIELD_UNKNOWN, "body.consent")
    assert error.advice.endswith(f"; accepted: {', '.join(Consent.model_fields)}")
    top = _refusal(_json(request_document(RECIPIENT) | {PLANTED_NAME: 1}))
    assert top.advice.startswith("the request holds a field that is not part of a referral")
    assert "recipient, priority" in top.advice
