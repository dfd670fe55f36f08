"""Whether enough other agencies confirm the time: without them nothing that was kept long enough is erased."""

from dataclasses import asdict, dataclass
from typing import Any

from deploy.app.agency_client import AgencyClient
from referral_bus.errors import BusError
from referral_bus.ledger.peers import witnessed


@dataclass(frozen=True, slots=True)
class TimeWitnesses:
    """How many other agencies have confirmed the time, and how many must."""

    heard: int
    needed: int

    @property
    def confirmed(self) -> bool:
        return self.heard >= self.needed > 0


def time_witnesses(client: AgencyClient) -> TimeWitnesses | None:
    """None where the ledger or the register itself cannot be read: that is told in other words."""
    try:
        with client.ledger.read() as tx:
            return TimeWitnesses(len(witnessed(tx, client.clock())), client.witnesses())
    except BusError:
        return None


def witnesses_document(found: TimeWitnesses | None) -> dict[str, Any]:
    return {"time_witnesses": None if found is None else asdict(found) | {"confirmed": found.confirmed}}


def witnesses_lines(found: TimeWitnesses | None) -> list[str]:
    """Nothing where the time is confirmed."""
    if found is None or found.confirmed:
        return []
    who = f"of {found.needed} other agencies that must confirm it {found.heard} heard" if found.needed else _NONE
    return [f"the time is not confirmed ({who}): nothing that was kept long enough is erased; {_TO_DO}"]


_NONE = "no agreement is with an agency that could"
_TO_DO = "see with `agencies` who is silent"
