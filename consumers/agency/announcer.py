"""The agency's heartbeat, an `AgencyAnnouncement`: its sealing keys, the schemas that it reads, and its open work."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from referral_bus.federation.register import Register
from referral_bus.ledger import audit, handovers
from referral_bus.ledger.own_agency import next_announcement_place
from referral_bus.ledger.store import Ledger
from referral_bus.stage_queries import count_stages
from schemas.deadlines import DEFAULT_LIMITS, Limits
from schemas.events import AgencyAnnouncement, ServiceOffer
from schemas.lifecycle import Side
from schemas.schema_index import by_fingerprint
from schemas.sealing_keys import SealingKey

EXPIRES_AFTER = timedelta(days=60)  # as long as the announced sealing keys; readers judge silence by `issued_at`


def next_announcement(
    ledger: Ledger,
    register: Register,
    keys: Sequence[SealingKey],
    now: datetime,
    software_version: str,
    limits: Limits = DEFAULT_LIMITS,
) -> AgencyAnnouncement:
    """The next announcement in order. Its counter is committed to the ledger before it is returned, so that no two
    announcements of this agency ever have the same one."""
    with ledger.read() as tx:
        to_us = [
            count
            for (side, _), count in count_stages(tx, now, limits, register.believed(now)).items()
            if side is Side.RECIPIENT
        ]
        waiting = handovers.oldest_waiting(tx)
        blocked = handovers.given_up(tx)
    with ledger.write() as tx:
        place = next_announcement_place(tx)
        audited = audit.announced(tx, now)
    agency = register.agency(ledger.code)
    return AgencyAnnouncement(
        agency=ledger.code,
        incarnation=place.incarnation,
        counter=place.sequence,
        issued_at=now,
        expires_at=now + EXPIRES_AFTER,
        register_version=register.version,
        register_sha256=bytes.fromhex(register.sha256),
        sealing_keys=tuple(keys),
        readable_schemas=tuple(sorted(by_fingerprint())),
        services=tuple(
            ServiceOffer(service_type=service, capacity="open") for service in (agency.services if agency else ())
        ),
        handed_over_before=min(waiting or now, now),  # the clock may have been set back
        open_referrals=sum(count.open for count in to_us),
        overdue_referrals=sum(count.overdue for count in to_us),
        handovers_blocked=blocked,
        audit_count=audited.count,
        audit_head=audited.head,
        software_version=software_version,
    )
