"""Pairs of versions that differ in their names, their fields and their defaults as they may not."""

from typing import Any

from schemas.evolution_advice import EvolutionKind
from tests.kit.schemas.evolving import (
    MICROS,
    MILLIS,
    OWNER,
    TREE,
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

INCOMPATIBLE_FIELDS: dict[str, tuple[Any, Any, list[tuple[str, EvolutionKind]]]] = {
    "no record": (TREE, "string", [("string", "not_a_record")]),
    "was no record": ("string", TREE, [("Tree", "not_a_record")]),
    "the same again": (TREE, TREE, [("Tree", "same_fingerprint")]),
    "only docs": (TREE, edited(TREE, "height", doc="In metres."), [("Tree", "same_fingerprint")]),
    "only a default more": (TREE, edited(TREE, "height", default=0), [("Tree", "same_fingerprint")]),
    "only an alias": (TREE, edited(TREE, "height", aliases=["tallness"]), [("Tree", "same_fingerprint")]),
    "only a logical type": (
        TREE,
        edited(TREE, "seen_at", avro=MICROS),
        [("Tree.seen_at", "logical_type_changed"), ("Tree", "same_fingerprint")],
    ),
    "another name": (TREE, edited(TREE, "", name="Bush"), [("Bush", "name_changed")]),
    "another namespace": (
        ROOT,
        edited(ROOT, "", namespace="other"),
        [("Root", "name_changed")],
    ),
    "another name of a nested record": (
        TREE,
        edited(TREE, "owner", avro=["null", {**OWNER, "name": "Keeper", "aliases": ["Owner"]}]),
        [("Tree.owner", "name_changed")],
    ),
    "another name of a fixed": (
        TREE,
        edited(edited(TREE, "mark", avro=fixed("Sign", 8)), "other_mark", avro="Sign"),
        [("Tree.mark", "name_changed"), ("Tree.other_mark", "name_changed")],
    ),
    "a field without a default more": (
        TREE,
        with_field(TREE, "note", "string"),
        [("Tree.note", "added_without_default")],
    ),
    "a nullable field without a default more": (
        TREE,
        with_field(TREE, "note", ["null", "string"]),
        [("Tree.note", "added_without_default")],
    ),
    "a field without a default more in the items of a list": (
        TREE,
        with_field(TREE, "leaves.note", "string"),
        [("Tree.leaves[].note", "added_without_default")],
    ),
    "a field without a default less": (
        TREE,
        without_field(TREE, "height"),
        [("Tree.height", "removed_without_default")],
    ),
    "a field without a default less in a nested record": (
        TREE,
        without_field(TREE, "owner.label"),
        [("Tree.owner.label", "removed_without_default")],
    ),
    "another field name without an alias": (
        TREE,
        edited(TREE, "height", name="length"),
        [("Tree.length", "added_without_default"), ("Tree.height", "removed_without_default")],
    ),
    "another field name with an alias and defaults": (
        TREE,
        edited(TREE, "nickname", name="pet_name", aliases=["nickname"]),
        [("Tree.pet_name", "field_renamed")],
    ),
    "another field name that the old version foresaw": (
        edited(TREE, "nickname", aliases=["pet_name"]),
        edited(TREE, "nickname", name="pet_name"),
        [("Tree.nickname", "field_renamed")],
    ),
    "an alias that takes over a removed field": (
        TREE,
        without_field(edited(TREE, "kind", aliases=["nickname"]), "nickname"),
        [("Tree.kind", "field_renamed")],
    ),
    "a time as a default": (
        TREE,
        with_field(TREE, "felled_at", MILLIS, default=0),
        [("Tree.felled_at", "default_unfit")],
    ),
    "bytes as a default": (TREE, with_field(TREE, "bark", "bytes", default="ÿ"), [("Tree.bark", "default_unfit")]),
    "a fixed as a default": (
        TREE,
        with_field(TREE, "chip", fixed("Chip", 1), default="ÿ"),
        [("Tree.chip", "default_unfit")],
    ),
    "a float as a default": (TREE, with_field(TREE, "girth", "float", default=0.1), [("Tree.girth", "default_unfit")]),
    "a whole number as a fraction": (
        TREE,
        with_field(TREE, "girth", ["null", record("Girth", field("top", "double", default=1))], default=None),
        [("Tree.girth.top", "default_unfit")],
    ),
    "true as a number": (TREE, with_field(TREE, "rings", "long", default=True), [("Tree.rings", "default_unfit")]),
    "a number too large": (TREE, with_field(TREE, "rings", "int", default=2**31), [("Tree.rings", "default_unfit")]),
    "a default of the second branch": (
        TREE,
        with_field(TREE, "note", ["null", "string"], default="a"),
        [("Tree.note", "default_unfit")],
    ),
    "a list of other items": (
        TREE,
        with_field(TREE, "notes", array("string"), default=[1]),
        [("Tree.notes", "default_unfit")],
    ),
    "a record that is not complete": (
        TREE,
        with_field(TREE, "root", ROOT, default={"depth": 1}),
        [("Tree.root", "default_unfit")],
    ),
    "a field less whose default older readers get raw": (
        with_field(TREE, "bark", "bytes", default="ÿ"),
        TREE,
        [("Tree.bark", "default_unfit")],
    ),
    "another default": (TREE, edited(NOTED, "kind", default="elm"), [("Tree.kind", "default_changed")]),
    "a default that only looks the same": (
        with_field(TREE, "girth", "double", default=1.0),
        edited(with_field(NOTED, "girth", "double"), "girth", default=1),
        [("Tree.girth", "default_changed"), ("Tree.girth", "default_unfit")],
    ),
}
