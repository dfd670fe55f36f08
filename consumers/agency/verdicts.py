"""What taking in a record needs beside the ledger, and what can come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consumers.agency.believed_places import Believes
from referral_bus.federation.register import Register
from referral_bus.ledger.own_events import Writing
from referral_bus.wire.record import KeyFinder
from schemas.events import RegisterVersion
from schemas.outcomes import Code


@dataclass(frozen=True, slots=True)
class IngestContext:
    """What taking in needs beside the ledger. `here` is our agency code; `arriving` what comes from the broker now,
    so that more of it than is kept of one writer can be left: its writer sends it again."""

    here: str
    register: Register
    find_key: KeyFinder
    new_id: Callable[[], UUID]
    now: datetime
    arriving: bool = False

    @property
    def writing(self) -> Writing:
        """For what the service answers by itself."""
        return Writing(self.now, self.register.version, self.new_id)

    def believes(self, code: str) -> Believes:
        """Whether what a signing key of this agency has said still counts."""
        return lambda key_id: self.register.believes(code, key_id, self.now)


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Done: stored, or a receipt or announcement heard."""

    record: str


@dataclass(frozen=True, slots=True)
class Again:
    """Known already; its receipt is owed once more."""

    record: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something before it has not arrived; not kept."""

    record: str


@dataclass(frozen=True, slots=True)
class Reseal:
    """Sealed to a key that is gone; not kept, its writer seals it anew."""

    record: str


@dataclass(frozen=True, slots=True)
class NoRoom:
    """As much of its writer is kept as may be; not kept and not receipted, so its writer sends it again."""

    record: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Refused, held back or not believed, by this code. `owed` tells whether its writer is told."""

    record: str
    code: Code
    owed: bool


@dataclass(frozen=True, slots=True)
class RegisterHeard:
    """A register version from a steward. Whether it is taken is judged by its own signatures, once this transaction
    is over: the register lives in the home folder."""

    version: RegisterVersion


Verdict = TakenIn | Again | Missing | Reseal | NoRoom | NotTaken | RegisterHeard
