"""Makes the request that `publish --example` prints: with every field that one request can have, about a made-up
person, to an agency that offers the service. `publish` accepts it unchanged."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import Register
from schemas.code_lists import form_of, known
from schemas.personal import (
    Caregiver,
    Consent,
    FollowUp,
    Identifier,
    Person,
    ReferralBody,
    ReferrerContact,
    Request,
    SafeContact,
)
from schemas.referral_request import ReferralRequest

CONSENT_LASTS = timedelta(days=90)


def example_request(
    register: Register, sender: str, service: str, to: str | None, now: datetime, subject: UUID
) -> ReferralRequest:
    """The request. `to`: its recipient; without it, the first agency of the register that offers `service` and to which
    `sender` may refer. `subject`: a random id for the made-up person. Raises `Refused` for an unknown service, or where
    there is no such agency."""
    if not known("service_types", service):
        raise Refused(Reason.CODE_UNKNOWN, f"accepted: {form_of('service_types')}", "--example")
    recipient = to or next(_recipients(register, sender, service, now), None)
    if recipient is None:
        advice = (
            "no agency that we may refer to offers this service; name one with --to, or see `referral-bus agencies`"
        )
        raise Refused(Reason.NOT_AGREED, advice, "--example")
    return ReferralRequest(
        recipient=recipient,
        priority="routine",
        acknowledge_by=now + timedelta(days=3),
        respond_by=now + timedelta(days=14),
        idempotency_key=f"example-{subject}",
        local_ref="TEST-LOCAL-0001",
        body=_body(recipient, service, now, subject),
    )


def _recipients(register: Register, sender: str, service: str, now: datetime) -> Iterator[str]:
    for agency in register.content.agencies:
        if service in agency.services and register.agreed(sender, agency.code, now):
            yield agency.code


def _body(recipient: str, service: str, now: datetime, subject: UUID) -> ReferralBody:
    return ReferralBody(
        person=_person(subject),
        caregiver=Caregiver(
            name="Test-Ona Namunaviy",
            relationship="mother",
            care_status="accompanied",
            caregiver_informed=False,
            why_not="Synthetic: the person asks that her mother is not told.",
            legal_guardian=False,
        ),
        safe_contact=SafeContact(
            method="phone-call",
            value="+998 00 000-00-00",
            hours="Test hours: Monday to Friday, 10:00 to 12:00",
            who_may_answer="The person herself",
            may_leave_message=False,
            may_name_agency=False,
            do_not_contact="Never the number +998 00 000-00-99",
        ),
        request=Request(
            service_types=(service,),
            need="Synthetic example: what the person asks for.\nIt may have several lines.",
            already_provided="Synthetic: a first talk.",
            other_referrals="Synthetic: none.",
            accompaniment="Synthetic: the caseworker comes along.",
            interpreter="ru",
            worker_sex_preference="female",
        ),
        consent=_consent(recipient, now),
        referrer_contact=ReferrerContact(
            name="Test-Xodim Namunaviy",
            function="Test caseworker",
            phone="+998 00 000-00-01",
            email="test-xodim@sender.example",
        ),
        follow_up=FollowUp(via="bus", information_agreed="Synthetic: whether the service has begun."),
    )


def _person(subject: UUID) -> Person:
    return Person(
        subject_ref=subject,
        name="Test-Oʻgʻiloy Namunaviy",
        case_code="TEST-0001",
        age_estimate=30,
        sex="female",
        languages=("uz", "ru"),
        specific_need="Synthetic: reads large print.",
        identifiers=(Identifier(scheme="id-card", value="TEST-00-000"),),
    )


def _consent(recipient: str, now: datetime) -> Consent:
    return Consent(
        kind="consent",
        recipient=recipient,
        given_by="person",
        method="written",
        attested_by="Test-Xodim Namunaviy",
        attested_at=now,
        expires_at=now + CONSENT_LASTS,
        purposes=("provide-service", "follow-up"),
        data_categories=("identity", "contact"),
        share_back_allowed=True,
        onward_sharing=False,
        withheld=("livelihood",),
        basis="consent",
        evidence_hash="0" * 64,
    )
