"""What a person or a program can do at one agency: refer, answer, look. The command line, handlers and the
demonstration all work through this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from producers.moves import move, the_referral
from producers.publish import Published, publish
from referral_bus.clock import Clock, system_clock
from referral_bus.federation.keyring import Keyring
from referral_bus.federation.register import Register
from referral_bus.home import Home, open_home
from referral_bus.ledger import handing_over, looking
from referral_bus.ledger.handing_over import Received
from referral_bus.ledger.looking import Step
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.ledger.writing import Writing
from referral_bus.settings import Settings
from referral_bus.stages import Standing, standing
from schemas.lifecycle import Side
from schemas.referral_request import ReferralRequest


@dataclass(frozen=True, slots=True)
class Case:
    """One referral with everything that is known of it here."""

    referral: Referral
    standing: Standing
    delivery_code: str | None  # why the recipient refused the referral itself
    local_ref: str | None
    steps: list[Step]


class Desk:
    """Works on a home folder's ledger, beside a running service or without one."""

    def __init__(self, home: Home, clock: Clock = system_clock) -> None:
        self.home = home
        self.clock = clock

    @cached_property
    def settings(self) -> Settings:
        return self.home.settings()

    @cached_property
    def keyring(self) -> Keyring:
        return self.home.keyring(self.clock())

    @cached_property
    def register(self) -> Register:
        return self.home.register(self.clock())

    @cached_property
    def ledger(self) -> Ledger:
        return self.home.open_ledger(self.keyring, self.settings.agency)

    def close(self) -> None:
        if "ledger" in self.__dict__:
            self.ledger.close()

    def publish(self, requests: Sequence[ReferralRequest], caller: str = "local") -> list[Published]:
        """Starts referrals, all or none. Durable when it returns."""
        return publish(self.ledger, self.register, requests, self.clock, uuid4, caller)

    def move(self, verb: str, referral_id: str, detail: Mapping[str, Any], local_ref: str | None = None) -> Referral:
        """Says a verb of the life cycle about a referral. Durable when it returns."""
        writing = Writing(self.clock(), self.register.version, uuid4)
        return move(self.ledger, verb, referral_id, detail, writing, local_ref)

    def received_after(self, cursor: int, most: int) -> list[Received]:
        """What came in after a cursor. Passing a cursor says that everything up to it has been taken."""
        now = self.clock()
        if cursor > 0:
            with self.ledger.write() as tx:
                handing_over.acknowledged_up_to(tx, cursor, now)
        with self.ledger.read() as tx:
            return handing_over.after_cursor(tx, cursor, most)

    def case(self, referral_id: str) -> Case:
        """One referral with its history. `referral_id` may be shortened to what is unambiguous."""
        with self.ledger.read() as tx:
            referral = the_referral(tx, referral_id)
            steps = looking.history(tx, referral.key)
            delivery = looking.referral_event_state(tx, referral.key)
            return Case(
                referral,
                standing(referral, delivery and delivery[0], self._handed_over(tx, referral, steps)),
                delivery and delivery[1],
                looking.local_ref(tx, referral.key),
                steps,
            )

    def _handed_over(self, tx: Tx, referral: Referral, steps: Sequence[Step]) -> bool:
        if referral.side is Side.RECIPIENT:
            return bool(steps) and steps[0].handed_over_at is not None
        peer = all_peers(tx).get(referral.peer)
        stored_before = steps[0].receipt_issued_at if steps else None
        if peer is None or peer.announcement is None or stored_before is None:
            return False
        return peer.announcement.handed_over_before > stored_before  # both by the recipient's clock


def open_desk(folder: Path, clock: Clock = system_clock) -> Desk:
    """Raises `Refused` when the folder is no home, or others can read it."""
    return Desk(open_home(folder), clock)
