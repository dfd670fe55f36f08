"""The sealed parts of events: everything that says anything about a person. The models match the schemas
`avro/ReferralBody.v1.avsc` and `avro/StatusBody.v1.avsc` field by field; their `doc` says what each field means.

With every text at its highest length, in Latin or Cyrillic, a body still fits the largest padded size
(`referral_bus.wire.sealing.PADDED_SIZES`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import (
    UUID4,
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.code_lists import Coded, CodeForm, known
from schemas.events import AgencyCode
from schemas.text import line, lines
from schemas.times import Day, Instant

BEST_INTERESTS = "best-interests"

Item = TypeVar("Item")


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(set(items)) != len(items):
        raise PydanticCustomError("not_distinct", "each value only once")
    return items


# `strict=False` lets a list stand for a tuple, as Avro and JSON have it; the items stay strict.
_FEW = Field(strict=False, max_length=30)
_SOME = Field(strict=False, min_length=1, max_length=30)
_DISTINCT = AfterValidator(_distinct)


Broken = tuple[str, str]
"""A broken rule across fields: the name of the field that is wrong, and what it accepts."""
Rule = Callable[[], Iterator[Broken]]


class SealedRecord(BaseModel):
    """Base of the sealed records. Its repr, str, rich output and errors hold no value, so that no log and no traceback
    names a person."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    def __repr__(self) -> str:
        return type(self).__name__

    __str__ = __repr__

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return ()

    if not TYPE_CHECKING:  # a type checker sees the frozen fields

        def __setattr__(self, name: str, value: Any) -> None:
            """Refuses in place of pydantic, whose own error quotes the value."""
            raise AttributeError(f"{type(self).__name__} is frozen")

    def rules(self) -> tuple[Rule, ...]:
        """The rules across the fields of this record. Each is called by itself: `partial` calls them on records with
        malformed fields, too."""
        return ()

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        """Raises one error for all broken rules, each at its field and without any input."""
        broken = [
            InitErrorDetails(type=PydanticCustomError("rule", why), loc=(field,), input=None)
            for rule in self.rules()
            for field, why in rule()
        ]
        if broken:
            raise ValidationError.from_exception_data(type(self).__name__, broken)
        return self


class Identifier(SealedRecord):
    scheme: Annotated[CodeForm, Coded("identifier_scheme")]
    value: Annotated[str, line(60)]


class Person(SealedRecord):
    subject_ref: UUID4  # version 4: other versions can hold a time, an address, or the hash of a name
    name: Annotated[str, line(200)] | None = None
    case_code: Annotated[str, line(40)] | None = None
    date_of_birth: Day | None = None
    age_estimate: Annotated[int, Field(ge=0, le=130)] | None = None
    sex: Annotated[CodeForm, Coded("sex")] | None = None
    languages: Annotated[tuple[Annotated[CodeForm, Coded("language")], ...], _FEW, _DISTINCT] = ()
    specific_need: Annotated[str, lines(500)] | None = None
    identifiers: Annotated[tuple[Identifier, ...], Field(strict=False, max_length=5), _DISTINCT] = ()

    def rules(self) -> tuple[Rule, ...]:
        return (self._one_age,)

    def _one_age(self) -> Iterator[Broken]:
        if self.date_of_birth is not None and self.age_estimate is not None:
            yield "age_estimate", "a date of birth or an estimate, not both"


class Caregiver(SealedRecord):
    name: Annotated[str, line(200)] | None = None
    relationship: Annotated[CodeForm, Coded("relationship")] | None = None
    care_status: Annotated[CodeForm, Coded("care_status")] | None = None
    caregiver_informed: bool | None = None
    why_not: Annotated[str, lines(300)] | None = None
    legal_guardian: bool | None = None

    def rules(self) -> tuple[Rule, ...]:
        return (self._not_informed_has_a_reason,)

    def _not_informed_has_a_reason(self) -> Iterator[Broken]:
        if (self.caregiver_informed is False) != (self.why_not is not None):
            yield "why_not", "a reason exactly when the caregiver is not informed"


class SafeContact(SealedRecord):
    method: Annotated[CodeForm, Coded("contact_method")]
    value: Annotated[str, line(120)] | None = None
    hours: Annotated[str, line(120)] | None = None
    who_may_answer: Annotated[str, line(200)] | None = None
    may_leave_message: bool
    may_name_agency: bool
    do_not_contact: Annotated[str, lines(200)] | None = None


class Request(SealedRecord):
    service_types: Annotated[tuple[Annotated[CodeForm, Coded("service_types")], ...], _SOME, _DISTINCT]
    need: Annotated[str, lines(1500)]
    replaces: UUID | None = None
    already_provided: Annotated[str, lines(500)] | None = None
    other_referrals: Annotated[str, lines(500)] | None = None
    accompaniment: Annotated[str, lines(300)] | None = None
    interpreter: Annotated[CodeForm, Coded("language")] | None = None
    worker_sex_preference: Annotated[CodeForm, Coded("worker_sex_preference")] | None = None


class Consent(SealedRecord):
    kind: Annotated[CodeForm, Coded("consent_kind")]
    recipient: AgencyCode
    given_by: Annotated[CodeForm, Coded("consent_given_by")]
    method: Annotated[CodeForm, Coded("consent_method")]
    attested_by: Annotated[str, line(120)]
    attested_at: Instant
    expires_at: Instant
    purposes: Annotated[tuple[Annotated[CodeForm, Coded("purposes")], ...], _SOME, _DISTINCT]
    data_categories: Annotated[tuple[Annotated[CodeForm, Coded("data_categories")], ...], _FEW, _DISTINCT] = ()
    share_back_allowed: bool | None = None
    onward_sharing: bool = False
    withheld: Annotated[tuple[Annotated[CodeForm, Coded("data_categories")], ...], _FEW, _DISTINCT] = ()
    basis: Annotated[CodeForm, Coded("consent_basis")] | None = None
    evidence_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    best_interests_reason: Annotated[str, lines(600)] | None = None
    best_interests_approver: Annotated[str, line(120)] | None = None

    def rules(self) -> tuple[Rule, ...]:
        return (
            self._ends_after_it_began,
            self._best_interests_are_reasoned_and_approved,
            self._what_is_withheld_is_not_shared,
        )

    def _ends_after_it_began(self) -> Iterator[Broken]:
        if self.expires_at <= self.attested_at:
            yield "expires_at", "later than attested_at"

    def _best_interests_are_reasoned_and_approved(self) -> Iterator[Broken]:
        if not known("consent_kind", self.kind):
            return  # a kind of newer software may need reasons, too
        for field in ("best_interests_reason", "best_interests_approver"):
            if (self.kind == BEST_INTERESTS) != (getattr(self, field) is not None):
                yield field, "exactly when the kind is best-interests"

    def _what_is_withheld_is_not_shared(self) -> Iterator[Broken]:
        if set(self.withheld) & set(self.data_categories):
            yield "withheld", "no category that data_categories allows"


class ReferrerContact(SealedRecord):
    name: Annotated[str, line(200)] | None = None
    function: Annotated[str, line(120)] | None = None
    phone: Annotated[str, line(40)] | None = None
    email: Annotated[str, line(120)] | None = None


class FollowUp(SealedRecord):
    via: Annotated[CodeForm, Coded("follow_up_via")] | None = None
    information_agreed: Annotated[str, lines(500)] | None = None


class ReferralBody(SealedRecord):
    """The sealed part of a new referral: only its recipient can read it."""

    person: Person
    caregiver: Caregiver | None = None
    safe_contact: SafeContact
    request: Request
    consent: Consent
    referrer_contact: ReferrerContact | None = None
    follow_up: FollowUp | None = None


class Appointment(SealedRecord):
    time: Instant
    place: Annotated[str, line(200)] | None = None


class StatusBody(SealedRecord):
    """The sealed part of a later event. It may be empty: every such event has one, so that its presence tells an
    observer nothing."""

    business_status: Annotated[CodeForm, Coded("business_status")] | None = None
    outcome: Annotated[CodeForm, Coded("outcome")] | None = None
    outcome_reason: Annotated[CodeForm, Coded("outcome_reason")] | None = None
    appointment: Appointment | None = None
    text: Annotated[str, lines(1500)] | None = None
    suggested_agency: AgencyCode | None = None
