"""The context that taking in a record needs beside the ledger, and its possible outcomes."""

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
    """What taking in needs beside the ledger. `here`: our agency code. `arriving`: the record comes from the broker
    now, so it counts against its writer's quota; beyond that it is not kept, and its writer sends it again."""

    here: str
    register: Register
    find_key: KeyFinder
    new_id: Callable[[], UUID]
    now: datetime
    arriving: bool = False

    @property
    def writing(self) -> Writing:
        """For events that the service writes automatically."""
        return Writing(self.now, self.register.version, self.new_id)

    def believes(self, code: str) -> Believes:
        """A function that tells whether words under a signing key of agency `code` still count, by the id of the
        key."""
        return lambda key_id: self.register.believes(code, key_id, self.now)


@dataclass(frozen=True, slots=True)
class TakenIn:
    """An event was stored, or a receipt or an announcement was taken into account."""

    record: str


@dataclass(frozen=True, slots=True)
class Again:
    """The event was known already; its receipt is owed once more."""

    record: str


@dataclass(frozen=True, slots=True)
class Missing:
    """An event before it in its referral's order has not arrived. The record is not kept."""

    record: str


@dataclass(frozen=True, slots=True)
class Reseal:
    """The event was sealed to a key that was destroyed. It is not kept; its writer seals it to another key."""

    record: str


@dataclass(frozen=True, slots=True)
class NoRoom:
    """Its writer's quota of the day is used up. The record is not kept and gets no receipt, so its writer sends it
    again."""

    record: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The record was refused, held or not believed, for the reason `code`. `owed`: its writer gets a receipt."""

    record: str
    code: Code
    owed: bool


@dataclass(frozen=True, slots=True)
class RegisterHeard:
    """A steward has sent a version of the register. It is checked by its own signatures after this transaction, since
    the register is a file in the home folder."""

    version: RegisterVersion


Verdict = TakenIn | Again | Missing | Reseal | NoRoom | NotTaken | RegisterHeard
