"""The state of each agency: what it announces of itself, and what the monitor has counted. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.monitor.queries import Announced, OpenCount
from consumers.monitor.silence import PresenceCode, ReadSpan, presence
from referral_bus.federation.register import Register
from referral_bus.federation.register_models import Contact


@dataclass(frozen=True, slots=True)
class AgencyState:
    """One agency. `announced`: its own newest announcement. `open`, `overdue`: referrals to it, as the monitor counts
    them. `heard_at`: when the monitor read that announcement."""

    code: str
    connection: str | None  # None: not in the register
    presence: PresenceCode
    heard_at: datetime | None
    announced: Announced | None
    open: int
    overdue: int
    contact: Contact | None


def agency_states(
    register: Register,
    announced: Mapping[str, Announced],
    counts: list[OpenCount],
    reading: ReadSpan,
    limits: Mapping[str, timedelta],
) -> Iterator[AgencyState]:
    """The agencies of the register that have an inbox, then those that have left it and still have open referrals."""
    known = [agency.code for agency in register.content.agencies if register.has_inbox(agency.code)]
    for code in [*known, *sorted({count.recipient for count in counts} - set(known))]:
        agency, said = register.agency(code), announced.get(code)
        heard_at = said.heard_at if said else None
        mine = [count for count in counts if count.recipient == code]
        yield AgencyState(
            code=code,
            connection=agency.connection if agency else None,
            presence=presence(agency, heard_at, reading, limits) if agency else PresenceCode.SILENT,
            heard_at=heard_at,
            announced=said,
            open=sum(count.number for count in mine),
            overdue=sum(count.overdue for count in mine),
            contact=contact_of(register, code),
        )


def contact_of(register: Register, code: str) -> Contact | None:
    """The contact to call: the first that the register lists for this agency."""
    agency = register.agency(code)
    return agency.contacts[0] if agency is not None and agency.contacts else None
