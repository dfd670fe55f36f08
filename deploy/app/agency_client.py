"""The operations of one agency: refer, answer, look. The command line, handlers and the demonstration all use this
client."""

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

COMMAND = "command"  # in the audit: a person or program asked, not the service


@dataclass(frozen=True, slots=True)
class Case:
    """One referral with everything that this agency's ledger and register hold about it."""

    referral: Referral
    standing: Standing
    other: Presence | None  # the other agency; None if it has left the register
    local_ref: str | None
    steps: list[Step]
    own_service: OwnService = OwnService.WORKS


class AgencyClient:
    """Works on the ledger in a home folder, beside a running service or without one."""

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
        """The ledger, opened at the first use. Raises `Refused` when it is older than what was sent from it."""
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
        """Whether announcements of this agency under a signing key still count; false once the key is revoked."""
        return self.register.believes(self.settings.agency, key_id, self.clock())

    def witnesses(self) -> int:
        """The number of other agencies that must agree with our clock before anything is destroyed for good."""
        return self.register.witnesses(self.settings.agency, self.clock())

    def renew_keys(self) -> tuple[int, ...]:
        """Makes the sealing keys of the present and coming epochs where they are missing, and destroys those of past
        ones. Returns the epochs whose keys were destroyed."""
        renewed = renew_keys(self.home.keys, self.ledger, self.clock(), self.witnesses())
        self.__dict__["keyring"] = renewed.keyring
        return renewed.destroyed

    def reload_register(self) -> Register:
        """Reads the register from the home folder again: the service may have accepted a newer one."""
        self.__dict__.pop("register", None)
        return self.register

    def take_register(self, data: bytes, signatures: bytes) -> Register:
        """Accepts a newer register and uses it from now on. Raises `Refused` unless the pinned stewards have signed
        it."""
        register = accept_register(self.home, data, signatures, self.clock(), None)
        self.__dict__["register"] = register
        return register

    @property
    def believed(self) -> frozenset[str]:
        """The codes of the agencies whose words the register believes now, by our clock."""
        return self.register.believed(self.clock())

    def close(self) -> None:
        """Closes the ledger. The client is not used afterwards."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    def writing(self, by: str = COMMAND) -> Writing:
        """The context for events that are written now. `by`: the person or service that asked, for the audit."""
        return Writing(self.clock(), self.register.version, uuid4, by)

    def publish(
        self, requests: Sequence[ReferralRequest], caller: str = "local", repeat: Repeat = Repeat.IS_NEW
    ) -> list[Published]:
        """Starts referrals, all or none; they are durable when it returns. Returns one answer for each request.
        `repeat` is for requests without an idempotency key; a program that may ask twice uses keys. Raises `Refused`
        naming every mistake."""
        return publish(self.ledger, self.register, requests, self.clock, uuid4, caller, COMMAND, repeat)

    def move(self, verb: str, referral_id: str, detail: Mapping[str, Any], local_ref: str | None = None) -> Referral:
        """Says a verb of the life cycle about a referral; it is durable when it returns. `referral_id` may be shortened
        to its first characters if they are unambiguous, and may name the sender too, as in `family-women/3f2a91`.
        `detail`: fields of a `StatusBody`. A second call with the same words says them again; a program that may ask
        twice uses `move_once` with an idempotency key. Raises `Refused`."""
        return self.move_once(verb, referral_id, detail, local_ref, None).referral

    def move_once(
        self, verb: str, referral_id: str, detail: Mapping[str, Any], local_ref: str | None, asked: Asked | None
    ) -> Moved:
        """As `move`; with `asked`, a second try writes nothing, and `Moved.again` is true."""
        if local_ref is not None:
            local_ref = tidy_local_ref(local_ref)
        return move_once(
            self.ledger, verb, referral_id, detail, self.writing(), local_ref, asked, register=self.register
        )

    def withdraw(self, referral_id: str, reason: ErasureReason) -> Tombstone:
        """Erases a referral here and asks the other side to erase it. When it returns, no backup brings it back, and
        the database's write-ahead log holds nothing of it, unless another process keeps a read open for seconds; then
        the service empties the log later. Raises `Refused`."""
        left = withdraw(self.ledger, referral_id, reason, self.writing())
        self.rollback_guard.keep_up(self.ledger)
        scrub(self.ledger, self.writing())
        return left

    def to_withdraw(self, referral_id: str, reason: ErasureReason) -> Case | Tombstone:
        """What `withdraw` would erase, for a person to see first. Raises the same; only notes in the audit that it was
        shown."""
        with self.ledger.read() as tx:
            about = to_withdraw(tx, referral_id, reason)
        return about if isinstance(about, Tombstone) else self.shown(referral_id)

    def erased(self, referral_id: str) -> Tombstone | None:
        """The tombstone of an erased referral; None when the referral was not erased. Raises `Refused` for an unknown
        id."""
        with self.ledger.read() as tx:
            found = the_referral_or_its_tombstone(tx, referral_id)
        return found if isinstance(found, Tombstone) else None

    def unconfirmed(self, most: int) -> list[Tombstone]:
        """At most `most` erasures that the system of one of the two agencies has not confirmed, the oldest first."""
        with self.ledger.read() as tx:
            return tombstones.list_unconfirmed(tx, most, self.believed)

    def count_unconfirmed(self) -> int:
        """The number of unconfirmed erasures."""
        with self.ledger.read() as tx:
            return tombstones.unconfirmed(tx, self.clock()).count

    def received_after(self, cursor: int, most: int) -> list[Received]:
        """At most `most` events that came in after `cursor`. A cursor above 0 also acknowledges everything up to it, as
        `take`."""
        if cursor > 0:
            self.take(cursor)
        return self.look_after(cursor, most)

    def look_after(self, cursor: int, most: int) -> list[Received]:
        """As `received_after`, without acknowledging anything. Notes in the audit that the events were shown."""
        with self.ledger.read() as tx:
            received = handovers.after_cursor(tx, cursor, most)
        self._note_shown([(each.referral, each.event_id) for each in received if each.body is not None])
        return received

    def take(self, cursor: int) -> int:
        """Acknowledges that the agency's system has everything up to `cursor`; returns how many events were not
        acknowledged before. Raises `Refused` for a cursor that no event has yet."""
        with self.ledger.write() as tx:
            if cursor > handovers.highest_cursor(tx):
                raise Refused(Reason.VALUE_REFUSED, "nothing with this cursor has come in yet", "--after")
            waiting = handovers.count_waiting(tx, cursor)
            handovers.acknowledged_up_to(tx, cursor, self.writing())
        return waiting

    def count_after(self, cursor: int) -> int:
        """The number of events that came in after a cursor."""
        with self.ledger.read() as tx:
            return handovers.count_after(tx, cursor)

    def shown(self, referral_id: str) -> Case:
        """As `case`, for showing to a person: notes in the audit that it was shown."""
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
        """One referral with its history. `referral_id` as for `move`. Raises `Refused` where it is unknown or
        ambiguous."""
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
        """Every agency in the register, and when its last announcement came."""
        now = self.clock()
        with self.ledger.read() as tx:
            peers = all_peers(tx)
        return [presence(agency, peers.get(agency.code), now) for agency in self.register.content.agencies]

    def announced(self, code: str) -> AgencyAnnouncement | None:
        """The newest announcement of another agency; None before its first one."""
        with self.ledger.read() as tx:
            peer = all_peers(tx).get(code)
        return None if peer is None else peer.announcement

    def silent(self, codes: Collection[str]) -> list[Presence]:
        """Those of these agencies that have been silent longer than their kind of connection allows."""
        return [each for each in self.agencies() if each.agency.code in codes and each.silent]


def open_client(folder: Path, clock: Clock = system_clock) -> AgencyClient:
    """A client for the home in `folder`. Raises `Refused` when the folder is no home, or others can read it."""
    return AgencyClient(open_home(folder), clock)
