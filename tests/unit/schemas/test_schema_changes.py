"""What differs between two versions, line by line."""

from typing import Any

import pytest

from schemas.schema_changes import changes, drawn
from schemas.schema_shape import shape_of
from tests.kit.schemas.evolving import (
    DATE,
    GONE,
    MICROS,
    OWNER,
    TREE,
    array,
    edited,
    field,
    fixed,
    in_order,
    record,
    with_field,
    without_field,
)

ENUM = {"type": "enum", "name": "Season", "symbols": ["DRY"]}
SEASONAL = record("Root", field("season", ENUM))
MAPPED = record("Root", field("notes", {"type": "map", "values": "string"}))
WIDE = record("Root", field("note", ["null", "string", DATE]))


def lines(old: Any, new: Any) -> list[str]:
    return [drawn(change) for change in changes(shape_of(old), shape_of(new))]


def test_the_same_schema_has_no_changes() -> None:
    for schema in (TREE, SEASONAL, MAPPED, WIDE, "string"):
        assert lines(schema, schema) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (TREE, with_field(TREE, "note", ["null", DATE], default=None), "+ Tree.note: null or int (date), default null"),
        (TREE, with_field(TREE, "leaves.note", "string"), "+ Tree.leaves[].note: string, default none"),
        (TREE, without_field(TREE, "leaves"), "- Tree.leaves: array of record synthetic.Leaf, default []"),
        (TREE, without_field(TREE, "owner.label"), "- Tree.owner.label: string, default none"),
        (TREE, edited(TREE, "height", avro="string"), "~ Tree.height: type: long -> string"),
        (
            TREE,
            edited(TREE, "seen_at", avro=MICROS),
            "~ Tree.seen_at: logical type: timestamp-millis -> timestamp-micros",
        ),
        (TREE, edited(TREE, "planted_on", avro="int"), "~ Tree.planted_on: logical type: date -> none"),
        (TREE, edited(TREE, "height", avro=["null", "long"]), "~ Tree.height: nullable: long -> null or long"),
        (TREE, edited(TREE, "kind", default="elm"), '~ Tree.kind: default: "oak" -> "elm"'),
        (TREE, edited(TREE, "kind", default=GONE), '~ Tree.kind: default: "oak" -> none'),
        (TREE, edited(TREE, "nickname", default=GONE), "~ Tree.nickname: default: null -> none"),
        (TREE, edited(TREE, "height", doc="Metres, oʻ."), '~ Tree.height: doc: "Synthetic." -> "Metres, oʻ."'),
        (TREE, edited(TREE, "height", aliases=["size"]), '~ Tree.height: aliases: [] -> ["size"]'),
        (TREE, edited(TREE, "", name="Bush"), "~ Bush: name: synthetic.Tree -> synthetic.Bush"),
        (TREE, edited(TREE, "", doc="A tree."), '~ Tree: record doc: "Synthetic." -> "A tree."'),
        (TREE, edited(TREE, "leaves", avro=array("string")), "~ Tree.leaves[]: type: record synthetic.Leaf -> string"),
        (
            TREE,
            edited(TREE, "owner", avro=["null", {**OWNER, "doc": "A person."}]),
            '~ Tree.owner: record doc: "Synthetic." -> "A person."',
        ),
        (
            record("Root", field("mark", fixed("Mark", 8))),
            record("Root", field("mark", fixed("Mark", 9))),
            "~ Root.mark: size: 8 bytes -> 9 bytes",
        ),
        (
            record("Root", field("mark", fixed("Mark", 8))),
            record("Root", field("mark", "bytes")),
            "~ Root.mark: type: fixed Mark of 8 bytes -> bytes",
        ),
        (
            SEASONAL,
            edited(SEASONAL, "season", avro={**ENUM, "symbols": ["DRY", "WET"]}),
            '~ Root.season: symbols: ["DRY"] -> ["DRY", "WET"]',
        ),
        (
            MAPPED,
            edited(MAPPED, "notes", avro={"type": "map", "values": "long"}),
            "~ Root.notes[]: type: string -> long",
        ),
        (
            WIDE,
            edited(WIDE, "note", avro=["null", DATE]),
            "~ Root.note: branches: null or string or int (date) -> null or int (date)",
        ),
        (
            WIDE,
            edited(WIDE, "note", avro=["string", "null", DATE]),
            "~ Root.note: branches: null or string or int (date) -> string or null or int (date)",
        ),
        (WIDE, edited(WIDE, "note", avro=["null", "string", "int"]), "~ Root.note: logical type: date -> none"),
        (TREE, in_order(TREE, "seen_at"), "~ Tree.seen_at: moved: place 6 -> place 1"),
        ("string", "long", "~ long: type: string -> long"),
    ],
)
def test_each_kind_of_change_is_one_line(old: Any, new: Any, line: str) -> None:
    assert lines(old, new) == [line]


def test_several_changes_are_several_lines_and_removed_fields_come_last() -> None:
    new = edited(
        without_field(with_field(TREE, "note", "string", default=""), "nickname"), "height", avro="int", doc="?"
    )
    assert lines(TREE, new) == [
        '+ Tree.note: string, default ""',
        "~ Tree.height: type: long -> int",
        '~ Tree.height: doc: "Synthetic." -> "?"',
        "- Tree.nickname: null or string, default null",
    ]


def test_a_named_type_that_is_used_twice_is_compared_at_both_places() -> None:
    assert len(lines(TREE, edited(TREE, "mark", avro=fixed("Mark", 9)))) == 2


def test_a_recursive_schema_ends_too() -> None:
    loop = record("Loop", field("loop", ["null", "Loop"], default=None), field("a", "int"))
    assert lines(loop, edited(loop, "a", avro="long")) == ["~ Loop.a: type: int -> long"]
    assert lines(loop, edited(loop, "loop", avro=["null", "int"])) == ["~ Loop.loop: type: recursion Loop -> int"]
