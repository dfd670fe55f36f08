"""What is no schema is refused in a fixed sentence, whatever stood there."""

import json
from typing import Any

import pytest

from schemas.schema_shape import NotASchema, parse_avsc, shape_of
from tests.kit.schemas.evolving import TREE, array, edited, field, fixed, record

SECRET = "Test-Oʻgʻiloy"


def deep_array(levels: int) -> Any:
    return array(deep_array(levels - 1)) if levels else "int"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON"),
        (f"{{{SECRET}", "not JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"type": "record", "name": "A", "fields": [{"name": "a", "type": "double", "default": NaN}]}', "not JSON"),
        ("null", "not an Avro schema"),
        ("1", "not an Avro schema"),
        (f'"{SECRET}"', "not an Avro schema"),
        ("{}", "not an Avro schema"),
        (json.dumps({"name": SECRET}), "not an Avro schema"),
    ],
)
def test_a_text_that_is_no_schema_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(NotASchema) as refused:
        parse_avsc(text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (record("A", field("a", SECRET)), "not an Avro schema"),
        (record("A", {"name": "a"}), "not an Avro schema"),
        (record("A", field("a", "int", default=SECRET)), "not an Avro schema"),
        (record("A", field("a", deep_array(150))), "nested too deep"),
        (record("A", field("a", deep_array(500))), "nested too deep"),
        ({"type": "record", "name": "A"}, "a record without fields"),
        (record("A", field("a", {"type": "record", "name": "B"})), "a record without fields"),
        ({"type": "error", "name": "A", "fields": []}, "not an Avro schema"),
        (record("A", field("a", "int"), field("a", "long")), "a field stands twice in one record"),
        (record("A", field("a b", "int")), "a field's name is none in Avro"),
        (record("A", field(7, "int")), "a field's name is none in Avro"),  # type: ignore[arg-type]
        (record("A", field("a", fixed("F", -1))), "the size of a fixed is a whole number"),
        (record("A", field("a", fixed("F", SECRET))), "the size of a fixed is a whole number"),  # type: ignore[arg-type]
        (record("A", field("a", "int", doc=7)), "a doc is no text"),
        (record("A", field("a", "int", aliases=[7])), "aliases that are no list of names"),
        (record("A", field("a", "int"), aliases=SECRET), "aliases that are no list of names"),
    ],
)
def test_a_schema_with_a_fault_is_refused(schema: Any, sentence: str) -> None:
    with pytest.raises(NotASchema) as refused:
        shape_of(schema)
    assert str(refused.value) == sentence


def test_named_types_are_written_out_where_they_are_used() -> None:
    fields = {each.name: each.shape for each in shape_of(TREE).fields}
    assert fields["other_mark"] == fields["mark"]
    assert (fields["mark"].name, fields["mark"].size) == ("synthetic.Mark", 8)


def test_a_shape_is_told_in_words() -> None:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    shapes = {each.name: each.shape.text() for each in shape_of(edited(TREE, "height", avro=price)).fields}
    assert shapes["height"] == "bytes (decimal 4.2)"
    assert shapes["owner"] == "null or record synthetic.Owner"
    assert shapes["leaves"] == "array of record synthetic.Leaf"
    assert shapes["mark"] == "fixed synthetic.Mark of 8 bytes"
    assert shapes["seen_at"] == "long (timestamp-millis)"


def test_named_types_that_double_at_each_level_are_counted_before_they_are_walked() -> None:
    inner: object = "int"
    for level in range(15):
        first = {"name": "a", "type": inner}
        again = {"name": "b", "type": f"R{level - 1}" if level else "int"}
        inner = {"type": "record", "name": f"R{level}", "fields": [first, again]}
    with pytest.raises(NotASchema, match="too many types"):
        parse_avsc(json.dumps(inner))
