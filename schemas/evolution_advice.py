"""The kinds of finding of the evolution check, each with one line on what to do about it."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from schemas.evolution_proof import SIMPLE_TYPES

EvolutionKind = Literal[
    "not_a_record",
    "rule_broken",
    "same_fingerprint",
    "name_changed",
    "added_without_default",
    "removed_without_default",
    "field_renamed",
    "default_unfit",
    "default_changed",
    "type_changed",
    "type_promoted",
    "logical_type_changed",
    "logical_type_unknown",
    "size_changed",
    "nullable_changed",
    "branches_changed",
    "sealed_not_last",
    "unreadable",
    "value_changed",
]

ADVICE: MappingProxyType[EvolutionKind, str] = MappingProxyType(
    {
        "not_a_record": "every schema that travels is a record",
        "rule_broken": "change the new version so that it keeps this rule for every schema",
        "same_fingerprint": "a reader could not tell the two apart: leave the released one as it is, docs may wait for "
        "the next version that changes a field",
        "name_changed": "keep name and namespace; another record needs a schema of its own",
        "added_without_default": "give it a default, best null: older records lack it",
        "removed_without_default": "keep it: readers of the older version need it",
        "field_renamed": "keep the old name and take the alias away; a name in a schema is never seen by people",
        "default_unfit": "make it null or another first-branch default that stands in JSON as in a value; one of "
        "bytes, fixed or a logical type is read raw",
        "default_changed": "keep the default: two versions would read one older record differently",
        "type_changed": "keep the type; add a new field of the new type with a default instead",
        "type_promoted": "readable one way only: keep the type; add a new field with a default instead",
        "logical_type_changed": "keep the logical type: the same bytes would mean something else",
        "logical_type_unknown": "take one of " + ", ".join(f"{kind} {name}" for kind, name in SIMPLE_TYPES if name),
        "size_changed": "keep the size; add a new field of the new size with a default instead",
        "nullable_changed": "keep it as nullable as it was: one of the two versions could not read the other's null",
        "branches_changed": "keep the branches: one of the two versions could not read what the other writes",
        "sealed_not_last": "put the bytes field sealed last in the event: what stands before it is bound to the seal",
        "unreadable": "a reader of one version cannot read the other: undo the change at this place",
        "value_changed": "what is read differs from what was written: undo the change at this place",
    }
)


@dataclass(frozen=True, slots=True)
class EvolutionFinding:
    """A place where two versions do not fit together. `path` is as in `ReferralBody.person.identifiers[].value`;
    `note`, where there is one, says what differs."""

    path: str
    kind: EvolutionKind
    note: str = ""

    @property
    def advice(self) -> str:
        return f"{self.note}; {ADVICE[self.kind]}" if self.note else ADVICE[self.kind]

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}: {self.advice}"
