"""Pairs of versions that may stand beside each other."""

from typing import Any

from tests.kit.schemas.evolving import (
    MILLIS,
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

NOTED = with_field(TREE, "note", ["null", "string"], default=None)
BARE = record("Tree", *TREE["fields"][:-1], namespace="synthetic")  # no event: nothing is sealed
ROOT = record("Root", field("depth", "int"), field("label", ["null", "string"], default=None))

COMPATIBLE: dict[str, tuple[Any, Any]] = {
    "a nullable field more": (TREE, NOTED),
    "a nullable time more": (TREE, with_field(TREE, "felled_at", ["null", MILLIS], default=None)),
    "a nullable record more": (TREE, with_field(TREE, "root", ["null", ROOT], default=None)),
    "a text with a default more": (TREE, with_field(TREE, "note", "string", default="oʻ")),
    "a number with a default more": (TREE, with_field(TREE, "rings", "long", default=0)),
    "a fraction with a default more": (TREE, with_field(TREE, "girth", "double", default=1.5)),
    "a yes or no with a default more": (TREE, with_field(TREE, "tall", "boolean", default=True)),
    "a list with a default more": (TREE, with_field(TREE, "notes", array("string"), default=["a"])),
    "a list of records more": (TREE, with_field(TREE, "roots", array(ROOT), default=[])),
    "a record with a default more": (TREE, with_field(TREE, "root", ROOT, default={"depth": 1, "label": None})),
    "a named type once more": (
        BARE,
        record("Tree", *BARE["fields"], field("third", ["null", "Mark"], default=None), namespace="synthetic"),
    ),
    "a field more in a nested record": (TREE, with_field(TREE, "owner.note", ["null", "string"], default=None)),
    "a field more in the items of a list": (TREE, with_field(TREE, "leaves.note", ["null", "string"], default=None)),
    "a field with a default less": (TREE, without_field(TREE, "nickname")),
    "a nested record with a default less": (TREE, without_field(TREE, "owner")),
    "a field less in the items of a list": (TREE, without_field(TREE, "leaves.worn")),
    "another order": (TREE, in_order(TREE, "height", "kind", "tree_id")),
    "a named type defined elsewhere": (
        TREE,
        in_order(edited(edited(TREE, "mark", avro="Mark"), "other_mark", avro=fixed("Mark", 8)), "other_mark"),
    ),
    "a default more": (TREE, edited(NOTED, "height", default=0)),
    "other docs besides": (TREE, edited(edited(NOTED, "height", doc="In metres."), "", doc="Another.")),
    "an alias that nobody meant": (TREE, edited(NOTED, "height", aliases=["tallness"])),
}
