"""For any schema within the rules: allowed changes are accepted, data survives them both ways, others are refused."""

from io import BytesIO
from random import Random
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.evolution import evolution_findings, rule_findings
from schemas.evolution_proof import generated, mismatches
from schemas.schema_rules import schema_findings
from schemas.schema_shape import shape_of
from tests.kit.schemas.random_changes import change_compatibly, change_incompatibly
from tests.kit.schemas.random_schemas import random_schema, rendered

randomness = st.integers(0, 2**64 - 1).map(Random)


@settings(deadline=None)
@given(randomness)
def test_the_random_schemas_keep_our_rules(chance: Random) -> None:
    schema = random_schema(chance)
    for version in (schema, change_compatibly(schema, chance)):
        assert schema_findings(rendered(version)) == []


@settings(deadline=None)
@given(randomness)
def test_allowed_changes_are_accepted_whichever_version_came_first(chance: Random) -> None:
    schema = random_schema(chance)
    old, new = rendered(schema), rendered(change_compatibly(schema, chance))
    assert (evolution_findings(old, new), evolution_findings(new, old)) == ((), ())


@settings(deadline=None)
@given(randomness)
def test_what_the_rules_accept_fastavro_resolves_both_ways(chance: Random) -> None:
    """With other data than the check itself takes, and compared by other code."""
    schema = random_schema(chance)
    old, new = rendered(schema), rendered(change_compatibly(schema, chance))
    assert rule_findings(old, new) == ()
    for writer, reader in ((old, new), (new, old)):
        for value in generated(shape_of(writer), 5, chance.randrange(2**32)):
            seen = resolved(value, writer, reader)
            assert_common_fields_equal(value, seen)


@settings(deadline=None)
@given(randomness)
def test_other_changes_are_refused_by_their_name_amid_allowed_ones(chance: Random) -> None:
    schema = random_schema(chance)
    spoilt, kind = change_incompatibly(schema, chance)
    old, new = rendered(schema), rendered(change_compatibly(spoilt, chance, keep_all=True))
    assert kind in {finding.kind for finding in rule_findings(old, new)}
    assert kind in {finding.kind for finding in rule_findings(old, rendered(spoilt))}


@settings(deadline=None)
@given(randomness)
def test_the_rules_see_whatever_the_data_shows(chance: Random) -> None:
    schema = random_schema(chance)
    old, new = rendered(schema), rendered(change_incompatibly(schema, chance)[0])
    assert rule_findings(old, new) or not mismatches(old, new)


def resolved(value: Any, writer: Any, reader: Any) -> Any:
    buffer = BytesIO()
    schemaless_writer(buffer, parse_schema(writer), value, strict=True, disable_tuple_notation=True)
    buffer.seek(0)
    return schemaless_reader(buffer, parse_schema(writer), parse_schema(reader))


def assert_common_fields_equal(written: Any, seen: Any) -> None:
    if isinstance(written, dict):
        for name in written.keys() & seen.keys():
            assert_common_fields_equal(written[name], seen[name])
    elif isinstance(written, list):
        for item, other in zip(written, seen, strict=True):
            assert_common_fields_equal(item, other)
    else:
        assert (type(written), written) == (type(seen), seen)
