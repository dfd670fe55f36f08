"""The lint finds nothing in what we ship, and each of its rules finds what it is for, and only that."""

import json
from typing import Any

import pytest

from schemas.code_lists import CODE_LISTS
from schemas.forbidden import FORBIDDEN, forbidden_themes
from schemas.lint import code_list_findings, example_findings, lint, lint_all, missing_lists, report
from schemas.schema_rules import fingerprint_findings, schema_findings
from tests.kit.schemas.builders import a_request, changed

CLEAN: dict[str, Any] = {
    "type": "record",
    "name": "Tree",
    "namespace": "referral_bus",
    "doc": "A synthetic record.",
    "fields": [
        {"name": "height", "type": ["null", "long"], "doc": "In metres.", "default": None},
        {"name": "planted_on", "type": {"type": "int", "logicalType": "date"}, "doc": "A day."},
        {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 8}, "doc": "A number."},
        {"name": "other_mark", "type": "Mark", "doc": "The named type again."},
        {
            "name": "leaves",
            "doc": "Each of them.",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Leaf",
                    "doc": "One leaf.",
                    "fields": [{"name": "colour", "type": "string", "doc": "A word."}],
                },
            },
        },
        {"name": "fallen", "type": {"type": "array", "items": "Leaf"}, "doc": "Named again, not recursive."},
    ],
}
EMPTY_RECORD = {"type": "record", "name": "Nothing", "doc": "Takes no bytes.", "fields": []}
NULL_RECORD = {**EMPTY_RECORD, "fields": [{"name": "none", "type": "null", "doc": "Takes no bytes."}]}


def test_what_we_ship_keeps_every_rule() -> None:
    assert lint() == []


def test_a_schema_within_the_rules_has_no_findings() -> None:
    assert schema_findings(CLEAN) == []


def typed(avro: Any) -> dict[str, Any]:
    """The clean schema with another type for its first field."""
    return changed(CLEAN, "fields[0].type", avro)  # type: ignore[no-any-return]


def named(name: str) -> dict[str, Any]:
    """The clean schema with another name for its first field."""
    return changed(CLEAN, "fields[0].name", name)  # type: ignore[no-any-return]


AGAINST_THE_RULES: list[tuple[dict[str, Any], str, str]] = [
    (typed("Tree"), "Tree.height", "recursion"),
    (typed(["null", "referral_bus.Tree"]), "Tree.height", "recursion"),
    (typed({"type": "array", "items": "Tree"}), "Tree.height[]", "recursion"),
    (changed(CLEAN, "fields[4].type.items.fields[0].type", "Tree"), "Leaf.colour", "recursion"),
    (typed({"type": "array", "items": "null"}), "Tree.height", "array of items that take no bytes"),
    (typed({"type": "array", "items": {"type": "null"}}), "Tree.height", "array of items that take no bytes"),
    (typed({"type": "array", "items": EMPTY_RECORD}), "Tree.height", "array of items that take no bytes"),
    (typed({"type": "array", "items": NULL_RECORD}), "Tree.height", "array of items that take no bytes"),
    (
        typed({"type": "array", "items": {"type": "fixed", "name": "Void", "size": 0}}),
        "Tree.height",
        "array of items that take no bytes",
    ),
    (typed(["null", {"type": "array", "items": "long"}]), "Tree.height", "array in a union: an empty array says it"),
    (typed({"type": "map", "values": "string"}), "Tree.height", "map"),
    (typed(["null", {"type": "map", "values": "string"}]), "Tree.height", "map"),
    (typed({"type": "enum", "name": "Colour", "symbols": ["RED"]}), "Tree.height", "enum"),
    (typed(["long", "string"]), "Tree.height", "union that is not null and one other"),
    (typed(["long", "null"]), "Tree.height", "union that is not null and one other"),
    (typed(["null", "long", "string"]), "Tree.height", "union that is not null and one other"),
    (typed(["null", "null"]), "Tree.height", "union that is not null and one other"),
    (changed(CLEAN, "doc", ""), "Tree", "record without doc"),
    (changed(CLEAN, "fields[4].type.items.doc", None), "Leaf", "record without doc"),
    (changed(CLEAN, "fields[0].doc", ""), "Tree.height", "field without doc"),
    (changed(CLEAN, "fields[0].doc", "Where the camp was."), "Tree.height", "forbidden: camp or detention history"),
    (changed(CLEAN, "fields[0].aliases", ["photo"]), "Tree.height", "forbidden: photographs"),
    (changed(CLEAN, "fields[2].type.name", "IrisScan"), "Tree.mark", "forbidden: biometrics"),
    (named("armed_group"), "Tree.armed_group", "forbidden: conflict or group affiliation"),
    (named("is_returnee"), "Tree.is_returnee", "forbidden: returnee or repatriation"),
    (named("repatriationFlag"), "Tree.repatriationFlag", "forbidden: returnee or repatriation"),
    (named("camp_history"), "Tree.camp_history", "forbidden: camp or detention history"),
    (named("detainedFrom"), "Tree.detainedFrom", "forbidden: camp or detention history"),
    (named("offences_of_relatives"), "Tree.offences_of_relatives", "forbidden: relatives' offences"),
    (named("religiosity"), "Tree.religiosity", "forbidden: ideology or religiosity"),
    (named("fingerprint"), "Tree.fingerprint", "forbidden: biometrics"),
    (named("photograph"), "Tree.photograph", "forbidden: photographs"),
]


@pytest.mark.parametrize(("schema", "path", "what"), AGAINST_THE_RULES)
def test_each_rule_for_schemas_finds_what_it_is_for(schema: dict[str, Any], path: str, what: str) -> None:
    assert schema_findings(schema) == [(path, what)]


def test_an_array_of_a_named_type_that_takes_no_bytes_is_found_wherever_it_is_named() -> None:
    what = "array of items that take no bytes"
    empty_leaves = changed(CLEAN, "fields[4].type.items.fields", [])
    assert schema_findings(empty_leaves) == [("Tree.leaves", what), ("Tree.fallen", what)]


def test_every_theme_has_a_case_above() -> None:
    assert {f"forbidden: {theme}" for theme in FORBIDDEN} <= {what for _, _, what in AGAINST_THE_RULES}


@pytest.mark.parametrize("text", ["schema_fingerprint", "campaign", "return_by", "Fingerprints of the schemas", "warm"])
def test_words_that_only_look_alike_are_allowed(text: str) -> None:
    assert forbidden_themes(text) == ()


def test_schemas_that_a_reader_cannot_tell_apart_are_found() -> None:
    same_to_a_reader = changed(CLEAN, "fields[1].type", "int")  # the fingerprint leaves out the logical type
    other = changed(CLEAN, "fields[1].type", "long")
    assert fingerprint_findings({"a": CLEAN, "b": other}) == []
    assert fingerprint_findings({"a": CLEAN, "b": same_to_a_reader}) == [("b", "same fingerprint as a")]


def a_code_list() -> dict[str, Any]:
    codes = [{"code": code, "en": "A label", "meaning": "A line."} for code in ("first-one", "second-2")]
    return {"list": "colour", "version": 1, "source": "Nobody", "codes": codes}


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        ("codes[1].code", "first-one", ("codes[1]", "code stands twice")),
        ("codes[1].code", "Second", ("codes[1].code", "bad_value")),
        ("codes[1].code", "second_2", ("codes[1].code", "bad_value")),
        ("codes[1].code", "-second", ("codes[1].code", "bad_value")),
        ("codes[1].code", False, ("codes[1].code", "wrong_type")),
        ("codes[1].en", None, ("codes[1].en", "wrong_type")),
        ("codes[1].code", "ex-combatant", ("codes[1]", "forbidden: conflict or group affiliation")),
        ("codes[1].en", "Returnee", ("codes[1]", "forbidden: returnee or repatriation")),
        ("codes[1].meaning", "Was in a prison.", ("codes[1]", "forbidden: camp or detention history")),
        ("list", "color", ("list", "not the name of the file")),
        ("version", 0, ("version", "bad_value")),
    ],
)
def test_each_rule_for_code_lists_finds_what_it_is_for(path: str, value: object, finding: tuple[str, str]) -> None:
    assert code_list_findings("colour.yaml", a_code_list()) == []
    assert code_list_findings("colour.yaml", changed(a_code_list(), path, value)) == [finding]


def test_a_list_without_a_file_and_a_file_without_a_name_are_found() -> None:
    lists: dict[str, Any] = {f"{name}.yaml": {} for name in CODE_LISTS}
    assert missing_lists(lists) == []
    assert [name for name, _ in missing_lists({**lists, "extra.yaml": {}})] == ["extra.yaml"]
    lists.pop("sex.yaml")
    assert [name for name, _ in missing_lists(lists)] == ["sex.yaml"]


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        ("body.person.sex", "newer", ("body.person.sex", "unknown code")),
        ("body.consent.recipient", "justice", ("body.consent.recipient", "not the recipient")),
        ("body.person.name", 1, ("body.person.name", "wrong_type")),
        ("body.request.need", "Was in a camp.", ("body.request.need", "forbidden: camp or detention history")),
    ],
)
def test_each_rule_for_examples_finds_what_it_is_for(path: str, value: object, finding: tuple[str, str]) -> None:
    assert example_findings(json.dumps(a_request())) == []
    assert example_findings(json.dumps(changed(a_request(), path, value))) == [finding]


def test_a_forbidden_key_of_an_example_is_found_besides_being_unknown() -> None:
    spoilt = json.dumps(changed(a_request(), "body.person.photo", "x"))
    assert example_findings(spoilt) == [
        ("body.person", "unknown_field"),
        ("body.person.photo", "forbidden: photographs"),
    ]


def test_an_example_that_is_no_json_is_found() -> None:
    assert example_findings("{") == [("", "not_json")]


def test_two_schemas_with_one_fingerprint_are_found_by_the_whole_lint() -> None:
    found = lint_all({"Tree.v1.avsc": CLEAN, "Tree.v2.avsc": CLEAN}, all_lists(), {})
    assert found == ["avro: Tree.v2.avsc: same fingerprint as Tree.v1.avsc"]


def all_lists() -> dict[str, Any]:
    return {f"{name}.yaml": {**a_code_list(), "list": name} for name in CODE_LISTS}


def test_findings_are_one_line_each_with_file_and_place() -> None:
    assert lint_all({"Tree.v1.avsc": CLEAN}, all_lists(), {"one.json": json.dumps(a_request())}) == []
    assert lint_all(
        {"Tree.v1.avsc": typed("Tree"), "Same.v1.avsc": CLEAN}, all_lists() | {"x.yaml": 1}, {"one.json": ""}
    ) == [
        "avro/Tree.v1.avsc: Tree.height: recursion",
        "codes/x.yaml: whole: wrong_type",
        "codes: x.yaml: in CODE_LISTS, but not in the folder, or the other way round",
        "examples/one.json: whole: not_json",
    ]


def test_the_command_writes_one_line_a_finding_and_fails_if_there_is_any(capsys: pytest.CaptureFixture[str]) -> None:
    assert (report([]), capsys.readouterr().out) == (0, "")
    assert (report(["one", "two"]), capsys.readouterr().out) == (1, "one\ntwo\n")
