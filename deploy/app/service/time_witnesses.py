"""Whether enough other agencies confirm our clock; without that retention erases nothing."""

from dataclasses import asdict, dataclass
from typing import Any

from deploy.app.agency_client import AgencyClient
from referral_bus.errors import BusError
from referral_bus.ledger.peers import witnessed


@dataclass(frozen=True, slots=True)
class TimeWitnesses:
    """How many other agencies confirm our clock, and how many must."""

    heard: int
    needed: int

    @property
    def confirmed(self) -> bool:
        return self.heard >= self.needed > 0


def time_witnesses(client: AgencyClient) -> TimeWitnesses | None:
    """The counts now; None where the ledger or the register cannot be read, which the command reports elsewhere."""
    try:
        with client.ledger.read() as tx:
            return TimeWitnesses(len(witnessed(tx, client.clock())), client.witnesses())
    except BusError:
        return None


def witnesses_document(found: TimeWitnesses | None) -> dict[str, Any]:
    return {"time_witnesses": None if found is None else asdict(found) | {"confirmed": found.confirmed}}


def witnesses_lines(found: TimeWitnesses | None) -> list[str]:
    """The line for people; none where the time is confirmed."""
    if found is None or found.confirmed:
        return []
    who = f"of {found.needed} other agencies that must confirm it {found.heard} heard" if found.needed else _NONE
    return [f"the time is not confirmed ({who}): nothing that was kept long enough is erased; {_TO_DO}"]


_NONE = "no agreement is with an agency that could"
_TO_DO = "`agencies` lists which are silent"
