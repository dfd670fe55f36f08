"""Compares all ledgers event by event: counts events that were lost, or took effect twice or out of order. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from deploy.app.agency_client import AgencyClient
from referral_bus.ledger import tombstones
from referral_bus.ledger.queries import EventRow, event_rows, statuses
from referral_bus.ledger.store import Ledger
from schemas.events import NOWHERE, ErasureEvent, Place, ReferralKey
from schemas.lifecycle import ENDED, Status
from schemas.outcomes import Outcome

EventName = tuple[str, UUID]
"""Writer and id of an event: an id identifies an event only together with its writer."""


@dataclass(frozen=True, slots=True)
class LedgerContent:
    """What one agency's ledger holds. `statuses` holds erased referrals too, with the status of their tombstone."""

    events: Sequence[EventRow]
    statuses: Mapping[ReferralKey, Status]
    erased: Collection[ReferralKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The counts of a comparison. `lost`: events that were written, and that their addressee has neither stored,
    refused nor erased. `invented`: events that were stored, and never written. `differing`: referrals that have another
    status at their other side. `closed` includes `erased` ones."""

    referrals: int = 0
    closed: int = 0
    erased: int = 0
    lost: int = 0
    twice: int = 0
    out_of_order: int = 0
    refused: int = 0
    invented: int = 0
    differing: int = 0

    @property
    def line(self) -> str:
        return (
            f"closed {self.closed} of {self.referrals}, open {self.referrals - self.closed}, "
            f"lost {self.lost}, twice {self.twice}, out of order {self.out_of_order}"
        )

    @property
    def kept(self) -> bool:
        """Whether every promise about events was kept."""
        return not (self.lost or self.twice or self.out_of_order or self.invented or self.differing)


@dataclass(slots=True)
class _Received:
    """What one agency has received: how often each event took effect, and how many did out of order."""

    stored: Counter[EventName] = field(default_factory=Counter)
    refused: set[EventName] = field(default_factory=set)
    erased: Collection[ReferralKey] = frozenset()
    out_of_order: int = 0

    def has(self, event: EventRow) -> bool:
        """Whether this agency has dealt with an event: stored it, refused it, or erased its referral. Events about the
        erasure itself must still be stored or refused."""
        name = (event.writer, event.event_id)
        passed = event.referral in self.erased and event.record != ErasureEvent.record
        return name in self.stored or name in self.refused or passed


def read_ledger(ledger: Ledger) -> LedgerContent:
    with ledger.read() as tx:
        left = {each.key: each.status for each in tombstones.changed_since(tx, 0)}
        return LedgerContent(event_rows(tx), statuses(tx) | left, left.keys())


def read_ledgers(clients: Mapping[str, AgencyClient]) -> dict[str, LedgerContent]:
    return {code: read_ledger(client.ledger) for code, client in clients.items()}


def about(ids: Collection[UUID], ledgers: Mapping[str, LedgerContent]) -> dict[str, LedgerContent]:
    """What the ledgers hold about the referrals with these ids."""
    return {
        code: LedgerContent(
            [event for event in content.events if event.referral.referral_id in ids],
            {key: status for key, status in content.statuses.items() if key.referral_id in ids},
            {key for key in content.erased if key.referral_id in ids},
        )
        for code, content in ledgers.items()
    }


def compare(ledgers: Mapping[str, LedgerContent]) -> Comparison:
    """Compares the ledgers of all agencies, given by code. An event counts by the ledger of its writer and that of its
    addressee."""
    received = {code: _received(code, content) for code, content in ledgers.items()}
    written = [event for code, content in ledgers.items() for event in content.events if event.writer == code]
    belongs = {(event.writer, event.event_id): event.addressee for event in written}
    own = {
        key: status
        for code, content in ledgers.items()
        for key, status in content.statuses.items()
        if key.sender == code
    }
    everything = [(code, name) for code, got in received.items() for name in got.stored]
    return Comparison(
        referrals=len(own),
        closed=sum(1 for status in own.values() if status in ENDED),
        erased=sum(1 for code, content in ledgers.items() for key in content.erased if key.sender == code),
        lost=sum(1 for event in written if event.addressee not in received or not received[event.addressee].has(event)),
        twice=sum(count - 1 for got in received.values() for count in got.stored.values()),
        out_of_order=sum(got.out_of_order for got in received.values()),
        refused=sum(len(got.refused) for got in received.values()),
        invented=sum(1 for code, name in everything if belongs.get(name) != code),
        differing=_differing(ledgers.values()),
    )


def left_open(ledgers: Mapping[str, LedgerContent]) -> list[ReferralKey]:
    """The referrals that have not ended by the ledgers of their senders."""
    return [
        key
        for code, content in ledgers.items()
        for key, status in content.statuses.items()
        if key.sender == code and status not in ENDED
    ]


def _received(code: str, content: LedgerContent) -> _Received:
    found = _Received(erased=content.erased)
    last: dict[tuple[ReferralKey, str], Place] = {}
    for event in content.events:
        if event.writer == code:
            continue
        if event.outcome != Outcome.STORED:
            found.refused.add((event.writer, event.event_id))
            continue
        found.stored[(event.writer, event.event_id)] += 1
        if event.record == ErasureEvent.record:  # it takes effect before events written earlier
            continue
        stream = (event.referral, event.writer)
        if event.place <= last.get(stream, NOWHERE):
            found.out_of_order += 1
        last[stream] = event.place
    return found


def _differing(ledgers: Iterable[LedgerContent]) -> int:
    sides: dict[ReferralKey, set[Status]] = {}
    for content in ledgers:
        for key, status in content.statuses.items():
            sides.setdefault(key, set()).add(status)
    return sum(1 for seen in sides.values() if len(seen) > 1)
