"""Pairs of versions that differ in their types as they may not, or whose new one breaks a rule for every schema."""

from typing import Any

from schemas.evolution_advice import EvolutionKind
from tests.kit.schemas.evolving import (
    DATE,
    GONE,
    MICROS,
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

NOTED = with_field(TREE, "note", ["null", "string"], default=None)
ROOT = record("Root", field("depth", "int"), field("label", ["null", "string"], default=None))
CYCLE = record("Loop", field("loop", ["null", "synthetic.Loop"], default=None))
MAP = {"type": "map", "values": "string"}
ENUM = {"type": "enum", "name": "Season", "symbols": ["DRY"]}

INCOMPATIBLE_TYPES: dict[str, tuple[Any, Any, list[tuple[str, EvolutionKind]]]] = {
    "a text from a time": (TREE, edited(TREE, "seen_at", avro="string"), [("Tree.seen_at", "type_changed")]),
    "a text from a list": (
        TREE,
        edited(TREE, "leaves", avro="string", default="a"),
        [("Tree.leaves", "type_changed"), ("Tree.leaves", "default_changed")],
    ),
    "other items": (TREE, edited(TREE, "leaves", avro=array("string")), [("Tree.leaves[]", "type_changed")]),
    "a record from a fixed of its name": (
        ROOT,
        edited(ROOT, "depth", avro=record("Depth", field("metres", "int"))),
        [("Root.depth", "type_changed")],
    ),
    "int, then long": (TREE, edited(TREE, "leaves.veins", avro="long"), [("Tree.leaves[].veins", "type_promoted")]),
    "long, then int": (TREE, edited(TREE, "height", avro="int"), [("Tree.height", "type_promoted")]),
    "long, then double": (TREE, edited(TREE, "height", avro="double"), [("Tree.height", "type_promoted")]),
    "text, then bytes": (TREE, edited(TREE, "owner.label", avro="bytes"), [("Tree.owner.label", "type_promoted")]),
    "int, then long, where it may be null": (
        TREE,
        edited(TREE, "age", avro=["null", "long"]),
        [("Tree.age", "type_promoted")],
    ),
    "milliseconds, then microseconds": (
        TREE,
        edited(NOTED, "seen_at", avro=MICROS),
        [("Tree.seen_at", "logical_type_changed")],
    ),
    "microseconds, then milliseconds": (
        edited(TREE, "seen_at", avro=MICROS),
        NOTED,
        [("Tree.seen_at", "logical_type_changed")],
    ),
    "an id, then any text": (TREE, edited(NOTED, "tree_id", avro="string"), [("Tree.tree_id", "logical_type_changed")]),
    "any text, then an id": (
        TREE,
        edited(NOTED, "owner.label", avro=UUID_TEXT),
        [("Tree.owner.label", "logical_type_changed")],
    ),
    "a day, then a number": (
        TREE,
        edited(NOTED, "planted_on", avro="int"),
        [("Tree.planted_on", "logical_type_changed")],
    ),
    "a number, then a day, where it may be null": (
        TREE,
        edited(NOTED, "age", avro=["null", DATE]),
        [("Tree.age", "logical_type_changed")],
    ),
    "a logical type that cannot be proved": (
        TREE,
        with_field(TREE, "price", ["null", {"type": "bytes", "logicalType": "decimal", "precision": 4}], default=None),
        [("Tree.price", "logical_type_unknown")],
    ),
    "a logical type on the wrong type": (
        TREE,
        with_field(TREE, "day", ["null", {"type": "long", "logicalType": "date"}], default=None),
        [("Tree.day", "logical_type_unknown")],
    ),
    "another size": (
        TREE,
        edited(TREE, "mark", avro=fixed("Mark", 9)),
        [("Tree.mark", "size_changed"), ("Tree.other_mark", "size_changed")],
    ),
    "may be null now": (TREE, edited(TREE, "height", avro=["null", "long"]), [("Tree.height", "nullable_changed")]),
    "may be null no more": (
        TREE,
        edited(TREE, "nickname", avro="string", default=GONE),
        [("Tree.nickname", "nullable_changed")],
    ),
    "a branch less": (
        with_field(TREE, "note", ["null", "string", "long"], default=None),
        with_field(TREE, "note", ["null", "string"], default=None),
        [("Tree.note", "branches_changed")],
    ),
    "a branch changed within": (
        with_field(TREE, "note", ["null", "string"], default=None),
        with_field(TREE, "note", ["null", "bytes"], default=None),
        [("Tree.note", "type_promoted")],
    ),
    "a branch more": (
        TREE,
        edited(TREE, "age", avro=["null", "int", "string"]),
        [("Tree.age", "branches_changed"), ("Tree.age", "rule_broken")],
    ),
    "branches the other way round": (
        TREE,
        edited(TREE, "age", avro=["int", "null"], default=GONE),
        [("Tree.age", "branches_changed"), ("Tree.age", "rule_broken")],
    ),
    "recursion": (ROOT, with_field(ROOT, "root", ["null", "Root"], default=None), [("Root.root", "rule_broken")]),
    "recursion by the full name": (
        edited(CYCLE, "", namespace="synthetic") | {"fields": [field("a", "int")]},
        edited(CYCLE, "", namespace="synthetic") | {"fields": [field("a", "int"), *CYCLE["fields"]]},
        [("Loop.loop", "rule_broken")],
    ),
    "recursion where the name holds the namespace": (
        {**ROOT, "name": "synthetic.Root"},
        with_field({**ROOT, "name": "synthetic.Root"}, "root", ["null", "Root"], default=None),
        [("Root.root", "rule_broken")],
    ),
    "a list of nothing": (ROOT, with_field(ROOT, "notes", array("null"), default=[]), [("Root.notes", "rule_broken")]),
    "a map": (ROOT, with_field(ROOT, "notes", ["null", MAP], default=None), [("Root.notes", "rule_broken")]),
    "an enum": (ROOT, with_field(ROOT, "season", ["null", ENUM], default=None), [("Root.season", "rule_broken")]),
    "a list that may be null": (
        ROOT,
        with_field(ROOT, "notes", ["null", array("string")], default=None),
        [("Root.notes", "rule_broken")],
    ),
    "a field without doc": (
        ROOT,
        with_field(ROOT, "a", ["null", "int"], default=None, doc=""),
        [("Root.a", "rule_broken")],
    ),
    "other symbols": (
        with_field(ROOT, "season", ENUM),
        edited(with_field(ROOT, "season", ENUM), "season", avro={**ENUM, "symbols": ["DRY", "WET"]}),
        [("Root.season", "type_changed"), ("Root.season", "rule_broken")],
    ),
    "sealed not last": (
        TREE,
        record("Tree", *TREE["fields"], field("after", ["null", "string"], default=None), namespace="synthetic"),
        [("Tree", "sealed_not_last")],
    ),
    "sealed from now on, and not last": (
        ROOT,
        with_field(ROOT, "sealed", ["null", "bytes"], default=None),
        [("Root", "sealed_not_last")],
    ),
    "nothing sealed any more": (
        edited(TREE, "sealed", avro=["null", "bytes"], default=None),
        without_field(TREE, "sealed"),
        [("Tree", "sealed_not_last")],
    ),
    "sealed of another type": (
        TREE,
        edited(TREE, "sealed", avro=array("int")),
        [("Tree.sealed", "type_changed"), ("Tree", "sealed_not_last")],
    ),
}
