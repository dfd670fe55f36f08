"""What a new version of a schema may change, and what it may not: each rule on a pair where it alone is broken."""

import json
from typing import Any, get_args

import pytest

from schemas.evolution import evolution_findings, rule_findings
from schemas.evolution_advice import ADVICE, EvolutionFinding, EvolutionKind
from schemas.schema_index import by_fingerprint
from tests.kit.schemas.compatible_pairs import COMPATIBLE
from tests.kit.schemas.evolving import TREE, edited, with_field
from tests.kit.schemas.incompatible_fields import INCOMPATIBLE_FIELDS
from tests.kit.schemas.incompatible_types import INCOMPATIBLE_TYPES

INCOMPATIBLE = INCOMPATIBLE_FIELDS | INCOMPATIBLE_TYPES


def kinds(found: tuple[EvolutionFinding, ...]) -> list[tuple[str, EvolutionKind]]:
    return [(finding.path, finding.kind) for finding in found]


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_compatible_version_is_accepted_whichever_came_first(name: str) -> None:
    old, new = COMPATIBLE[name]
    assert (kinds(evolution_findings(old, new)), kinds(evolution_findings(new, old))) == ([], [])


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_an_incompatible_version_is_refused_with_place_and_kind(name: str) -> None:
    old, new, expected = INCOMPATIBLE[name]
    assert kinds(evolution_findings(old, new)) == expected


def test_every_kind_of_the_rules_is_shown_to_fail_and_has_its_advice() -> None:
    shown = {kind for _, _, found in INCOMPATIBLE.values() for _, kind in found}
    assert shown | {"unreadable", "value_changed"} == set(get_args(EvolutionKind)) == set(ADVICE)


def test_a_finding_is_one_line_with_place_kind_and_what_to_do() -> None:
    (finding,) = evolution_findings(TREE, edited(TREE, "height", avro="int"))
    assert str(finding) == (
        "Tree.height: type_promoted: long became int; readable one way only: keep the type; "
        "add a new field with a default instead"
    )


@pytest.mark.parametrize("schema", by_fingerprint().values(), ids=lambda schema: f"{schema.record}.v{schema.version}")
def test_every_schema_we_ship_can_have_a_next_version(schema: Any) -> None:
    raw = json.loads(schema.source)
    assert rule_findings(raw, raw) == (EvolutionFinding(schema.record, "same_fingerprint"),)
    assert evolution_findings(raw, with_field(raw, "note", ["null", "string"], default=None)) == ()
