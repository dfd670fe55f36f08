"""What a person or a program can do at one agency: refer, answer, look. The command line, handlers and the
demonstration all work through this."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from consumers.agency.maintenance import scrub
from producers.publish import Published, publish
from producers.refusals import tidy_local_ref
from producers.verbs import Asked, Moved, move_once
from producers.withdrawals import to_withdraw, withdraw
from referral_bus.clock import Clock, system_clock
from referral_bus.errors import BusError, Reason, Refused
from referral_bus.federation.keyring import Keyring
from referral_bus.federation.register import Register
from referral_bus.home import Home, accept_register, open_home
from referral_bus.key_renewal import renew_keys
from referral_bus.ledger import audit, handovers, queries, tombstones
from referral_bus.ledger.audit import Action
from referral_bus.ledger.handovers import Received
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.queries import Step
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.repeated_requests import Repeat
from referral_bus.ledger.resolve import the_referral, the_referral_or_its_tombstone
from referral_bus.ledger.store import Ledger
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.rollback_guard import RollbackGuard
from referral_bus.settings import Settings
from referral_bus.silence import Presence, presence
from referral_bus.stage_queries import stage_of
from referral_bus.stages import OwnService, Standing
from schemas.events import AgencyAnnouncement, ReferralKey
from schemas.lifecycle import ErasureReason
from schemas.referral_request import ReferralRequest

COMMAND = "command"  # who asked, where a person did


@dataclass(frozen=True, slots=True)
class Case:
    """One referral with everything that is known of it here."""

    referral: Referral
    standing: Standing
    other: Presence | None  # the other side; None for one that the register does not know any more
    local_ref: str | None
    steps: list[Step]
    own_service: OwnService = OwnService.WORKS


class AgencyClient:
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
    def rollback_guard(self) -> RollbackGuard:
        return self.home.rollback_guard

    @cached_property
    def ledger(self) -> Ledger:
        """Raises `Refused` when it is older than what was sent from it."""
        ledger = self.home.open_ledger(self.keyring, self.settings.agency)
        try:
            self.rollback_guard.refuse_if_behind(ledger, self.own_key_counts)
            if self.keyring.over(self.clock()):
                self.__dict__["keyring"] = renew_keys(self.home.keys, ledger, self.clock(), self.witnesses()).keyring
        except BusError:
            ledger.close()
            raise
        return ledger

    def own_key_counts(self, key_id: str) -> bool:
        """Whether what was announced of us under this signing key counts: not any more once it is revoked."""
        return self.register.believes(self.settings.agency, key_id, self.clock())

    def witnesses(self) -> int:
        """How many other agencies must agree with our clock before something is destroyed for good."""
        return self.register.witnesses(self.settings.agency, self.clock())

    def renew_keys(self) -> tuple[int, ...]:
        """Works with the keys of now; returns the epochs whose keys were destroyed, because they are over."""
        renewed = renew_keys(self.home.keys, self.ledger, self.clock(), self.witnesses())
        self.__dict__["keyring"] = renewed.keyring
        return renewed.destroyed

    def reload_register(self) -> Register:
        """The register as it stands in the home folder now: the service may have taken a newer one."""
        self.__dict__.pop("register", None)
        return self.register

    def take_register(self, data: bytes, signatures: bytes) -> Register:
        """Works by a newer register from now on. Raises `Refused` unless the pinned stewards have signed it."""
        register = accept_register(self.home, data, signatures, self.clock(), None)
        self.__dict__["register"] = register
        return register

    @property
    def believed(self) -> frozenset[str]:
        """The agencies that the register still has, by our clock."""
        return self.register.believed(self.clock())

    def close(self) -> None:
        """Closes the ledger. The client is not used afterwards."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    def writing(self, by: str = COMMAND) -> Writing:
        """For what is written now. `by` is who asked, for the audit."""
        return Writing(self.clock(), self.register.version, uuid4, by)

    def publish(
        self, requests: Sequence[ReferralRequest], caller: str = "local", repeat: Repeat = Repeat.IS_NEW
    ) -> list[Published]:
        """Starts referrals, all or none. Durable when it returns. `repeat` is for requests without an idempotency key:
        a program that may ask twice uses keys."""
        return publish(self.ledger, self.register, requests, self.clock, uuid4, caller, COMMAND, repeat)

    def move(self, verb: str, referral_id: str, detail: Mapping[str, Any], local_ref: str | None = None) -> Referral:
        """Says a verb of the life cycle about a referral. Durable when it returns. `referral_id` may be shortened to
        what is unambiguous, and may name its sender too, as in `family-women/3f2a91`. Takes each word as meant: a
        program that may ask twice uses `move_once` with an idempotency key."""
        return self.move_once(verb, referral_id, detail, local_ref, None).referral

    def move_once(
        self, verb: str, referral_id: str, detail: Mapping[str, Any], local_ref: str | None, asked: Asked | None
    ) -> Moved:
        """As `move`; where it is told who asks, a second try says nothing new, and the answer tells so."""
        if local_ref is not None:
            local_ref = tidy_local_ref(local_ref)
        return move_once(
            self.ledger, verb, referral_id, detail, self.writing(), local_ref, asked, register=self.register
        )

    def withdraw(self, referral_id: str, reason: ErasureReason) -> Tombstone:
        """Erases a referral here and asks the other side to. When it returns it is erased for good: no backup brings it
        back, and the log of the database holds nothing of it, unless somebody reads there for seconds on end."""
        left = withdraw(self.ledger, referral_id, reason, self.writing())
        self.rollback_guard.keep_up(self.ledger)
        scrub(self.ledger, self.writing())
        return left

    def to_withdraw(self, referral_id: str, reason: ErasureReason) -> Case | Tombstone:
        """What `withdraw` would erase, to be shown before it is asked for; raises the same and changes nothing."""
        with self.ledger.read() as tx:
            about = to_withdraw(tx, referral_id, reason)
        return about if isinstance(about, Tombstone) else self.shown(referral_id)

    def erased(self, referral_id: str) -> Tombstone | None:
        """What is left of an erased referral; None when it was not erased."""
        with self.ledger.read() as tx:
            found = the_referral_or_its_tombstone(tx, referral_id)
        return found if isinstance(found, Tombstone) else None

    def unconfirmed(self, most: int) -> list[Tombstone]:
        """Erasures that an agency's own system has not acknowledged, the oldest first."""
        with self.ledger.read() as tx:
            return tombstones.list_unconfirmed(tx, most, self.believed)

    def count_unconfirmed(self) -> int:
        """How many of them there are."""
        with self.ledger.read() as tx:
            return tombstones.unconfirmed(tx, self.clock()).count

    def received_after(self, cursor: int, most: int) -> list[Received]:
        """What came in after a cursor. Passing a cursor says that everything up to it has been taken."""
        if cursor > 0:
            self.take(cursor)
        return self.look_after(cursor, most)

    def look_after(self, cursor: int, most: int) -> list[Received]:
        """The same without taking anything; that it was shown stands in the audit."""
        with self.ledger.read() as tx:
            received = handovers.after_cursor(tx, cursor, most)
        self._note_shown([(each.referral, each.event_id) for each in received if each.body is not None])
        return received

    def take(self, cursor: int) -> int:
        """Everything up to the cursor has been taken; returns how many events were not taken before."""
        with self.ledger.write() as tx:
            if cursor > handovers.highest_cursor(tx):
                raise Refused(Reason.VALUE_REFUSED, "nothing with this cursor has come in yet", "--after")
            waiting = handovers.count_waiting(tx, cursor)
            handovers.acknowledged_up_to(tx, cursor, self.writing())
        return waiting

    def count_after(self, cursor: int) -> int:
        """How many events came in after a cursor."""
        with self.ledger.read() as tx:
            return handovers.count_after(tx, cursor)

    def shown(self, referral_id: str) -> Case:
        """A case for somebody's eyes: that it was shown stands in the audit."""
        case = self.case(referral_id)
        self._note_shown([(case.referral.key, None)])
        return case

    def _note_shown(self, shown: Sequence[tuple[ReferralKey, UUID | None]]) -> None:
        now = self.clock()
        if shown:
            with self.ledger.write() as tx:
                for key, event_id in shown:
                    audit.note(tx, Action.SHOWED, now, by=COMMAND, referral=key, event_id=event_id)

    def case(self, referral_id: str) -> Case:
        """One referral with its history. `referral_id` is as for `move`."""
        with self.ledger.read() as tx:
            referral = the_referral(tx, referral_id)
            steps = queries.history(tx, referral.key)
            peers = all_peers(tx)
            other = self.register.agency(referral.peer)
            return Case(
                referral,
                stage_of(tx, referral, peers, self.settings.limits, self.believed),
                None if other is None else presence(other, peers.get(referral.peer), self.clock()),
                queries.local_ref(tx, referral.key),
                steps,
            )

    def agencies(self) -> list[Presence]:
        """Everybody in the register, and when we last heard them."""
        now = self.clock()
        with self.ledger.read() as tx:
            peers = all_peers(tx)
        return [presence(agency, peers.get(agency.code), now) for agency in self.register.content.agencies]

    def announced(self, code: str) -> AgencyAnnouncement | None:
        """The newest announcement of another agency."""
        with self.ledger.read() as tx:
            peer = all_peers(tx).get(code)
        return None if peer is None else peer.announcement

    def silent(self, codes: Collection[str]) -> list[Presence]:
        """Which of these agencies a sender should know to be silent."""
        return [each for each in self.agencies() if each.agency.code in codes and each.silent]


def open_client(folder: Path, clock: Clock = system_clock) -> AgencyClient:
    """Raises `Refused` when the folder is no home, or others can read it."""
    return AgencyClient(open_home(folder), clock)
