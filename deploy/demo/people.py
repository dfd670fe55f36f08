"""Synthetic people for the demonstration, with names and numbers that show that they are made up."""

import random
from datetime import datetime, timedelta
from uuid import UUID

from schemas.personal import Consent, Person, ReferralBody, Request, SafeContact
from schemas.referral_request import ReferralRequest


def synthetic_request(
    random_source: random.Random,
    recipient: str,
    service: str,
    need: str,
    priority: str,
    now: datetime,
    replaces: UUID | None = None,
) -> ReferralRequest:
    """A request for a referral about a made-up person, with a consent for `recipient` that lasts 90 days."""
    number = random_source.randrange(10_000)
    return ReferralRequest(
        recipient=recipient,
        priority=priority,
        body=ReferralBody(
            person=Person(
                subject_ref=UUID(int=random_source.getrandbits(128), version=4),
                case_code=f"TEST-{number:04}",
                name=f"Namuna Sinovova-{number:04}",
            ),
            safe_contact=SafeContact(
                method="phone-call", value="+998 00 000-00-00", may_leave_message=False, may_name_agency=False
            ),
            request=Request(service_types=(service,), need=need, replaces=replaces),
            consent=Consent(
                kind="consent",
                recipient=recipient,
                given_by="person",
                method="written",
                attested_by="Demonstration caseworker",
                attested_at=now,
                expires_at=now + timedelta(days=90),
                purposes=("provide-service",),
            ),
        ),
    )
