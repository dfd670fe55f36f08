"""The proof by generated data alone, on pairs that the rules would refuse before it."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas.evolution import evolution_findings
from schemas.evolution_proof import Mismatch, generated, mismatches
from schemas.schema_shape import shape_of
from tests.kit.schemas.evolving import (
    DATE,
    GONE,
    MICROS,
    MILLIS,
    TREE,
    UUID_TEXT,
    array,
    edited,
    field,
    fixed,
    record,
    with_field,
    without_field,
)

ROOT = record("Root", field("depth", "int"))
BARK = with_field(TREE, "bark", "bytes", default="ÿ")

SEEN_IN_DATA: dict[str, tuple[Any, Any, Mismatch]] = {
    "a text for a number": (TREE, edited(TREE, "height", avro="string"), Mismatch("Tree", "unreadable", "old")),
    "a number too long": (TREE, edited(TREE, "height", avro="int"), Mismatch("Tree", "unreadable", "old")),
    "a number once shorter": (edited(TREE, "height", avro="int"), TREE, Mismatch("Tree", "unreadable", "new")),
    "any text for an id": (edited(TREE, "tree_id", avro="string"), TREE, Mismatch("Tree", "unreadable", "old")),
    "a finer time": (TREE, edited(TREE, "seen_at", avro=MICROS), Mismatch("Tree.seen_at", "value_changed", "new")),
    "a number for a day": (
        edited(ROOT, "depth", avro=DATE),
        ROOT,
        Mismatch("Root.depth", "value_changed", "new"),
    ),
    "null where none may be": (
        TREE,
        edited(TREE, "nickname", avro="string", default=GONE),
        Mismatch("Tree", "unreadable", "old"),
    ),
    "a field that nobody wrote": (TREE, with_field(TREE, "note", "string"), Mismatch("Tree", "unreadable", "old")),
    "a field that nobody writes": (TREE, without_field(TREE, "height"), Mismatch("Tree", "unreadable", "new")),
    "another size": (TREE, edited(TREE, "mark", avro=fixed("Mark", 9)), Mismatch("Tree", "unreadable", "old")),
    "a default that is read raw": (TREE, BARK, Mismatch("Tree", "unreadable", "old")),
    "a time as a default": (
        TREE,
        with_field(TREE, "felled_at", MILLIS, default=0),
        Mismatch("Tree.felled_at", "value_changed", "old"),
    ),
    "an alias that takes over": (
        ROOT,
        edited(without_field(with_field(ROOT, "width", "int", default=0), "depth"), "width", aliases=["depth"]),
        Mismatch("Root", "unreadable", "new"),
    ),
    "in the items of a list": (
        record("Root", field("times", array(MILLIS))),
        record("Root", field("times", array(MICROS))),
        Mismatch("Root.times[]", "value_changed", "new"),
    ),
}


@pytest.mark.parametrize("name", SEEN_IN_DATA)
def test_what_does_not_survive_is_seen(name: str) -> None:
    old, new, expected = SEEN_IN_DATA[name]
    assert expected in mismatches(old, new)


@pytest.mark.parametrize("name", SEEN_IN_DATA)
def test_the_rules_refuse_it_before(name: str) -> None:
    old, new, _ = SEEN_IN_DATA[name]
    assert evolution_findings(old, new)


def test_what_survives_has_no_mismatch() -> None:
    assert mismatches(TREE, with_field(TREE, "note", ["null", "string"], default=None)) == ()


def test_what_the_rules_let_pass_is_still_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.evolution.rule_findings", lambda *_: ())
    assert [(found.path, found.kind, found.note) for found in evolution_findings(TREE, BARK)] == [
        ("Tree", "unreadable", "written with the old version")
    ]


def test_generated_values_are_the_emptiest_then_the_fullest_then_any_and_the_same_each_time() -> None:
    emptiest, fullest, *others = generated(shape_of(TREE), 40, seed=1)
    assert (emptiest["nickname"], emptiest["owner"], emptiest["leaves"]) == (None, None, [])
    assert fullest["nickname"] is not None
    assert fullest["owner"]["since"] is not None
    assert fullest["leaves"]
    assert {type(each["nickname"]) for each in others} == {type(None), str}
    assert [emptiest, fullest, *others] == list(generated(shape_of(TREE), 40, seed=1))
    assert [emptiest, fullest, *others] != list(generated(shape_of(TREE), 40, seed=2))


def test_generated_values_are_what_python_has_for_logical_types_and_reach_the_ends() -> None:
    values = list(generated(shape_of(TREE), 200, seed=1))
    first = values[0]
    assert (type(first["tree_id"]), type(first["planted_on"]), type(first["seen_at"])) == (UUID, date, datetime)
    assert first["seen_at"].tzinfo is UTC
    assert {min(each["height"] for each in values), max(each["height"] for each in values)} == {-(2**63), 2**63 - 1}
    assert {len(each["mark"]) for each in values} == {8}
    assert UUID_TEXT["logicalType"] == "uuid"
