"""Compares all ledgers event by event: was anything lost, did anything take effect twice or out of order? Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from referral_bus.ledger.looking import EventRow, event_rows, statuses
from referral_bus.ledger.store import Ledger
from schemas.events import NOWHERE, Place, ReferralKey
from schemas.lifecycle import ENDED, Status
from schemas.outcomes import Outcome

EventName = tuple[str, UUID]
"""An event's id counts only together with its writer."""


@dataclass(frozen=True, slots=True)
class LedgerContent:
    """What one agency's ledger holds."""

    events: Sequence[EventRow]
    statuses: Mapping[ReferralKey, Status]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`lost`: written, yet neither stored nor refused where it belongs. `invented`: stored, yet never written.
    `differing`: referrals whose two sides have another status."""

    referrals: int = 0
    closed: int = 0
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
    """What one agency has received: how often each event took effect, and how many stand out of order."""

    stored: Counter[EventName] = field(default_factory=Counter)
    refused: set[EventName] = field(default_factory=set)
    out_of_order: int = 0


def read_ledger(ledger: Ledger) -> LedgerContent:
    with ledger.read() as tx:
        return LedgerContent(event_rows(tx), statuses(tx))


def compare(ledgers: Mapping[str, LedgerContent]) -> Comparison:
    received = {code: _received(code, content) for code, content in ledgers.items()}
    written = {
        (event.writer, event.event_id): event.addressee
        for code, content in ledgers.items()
        for event in content.events
        if event.writer == code
    }
    own = {
        key: (status, key.sender)
        for code, content in ledgers.items()
        for key, status in content.statuses.items()
        if key.sender == code
    }
    everything = [(code, key) for code, got in received.items() for key in got.stored]
    return Comparison(
        referrals=len(own),
        closed=sum(1 for status, _ in own.values() if status in ENDED),
        lost=sum(1 for name, addressee in written.items() if not _arrived(name, received.get(addressee))),
        twice=sum(count - 1 for got in received.values() for count in got.stored.values()),
        out_of_order=sum(got.out_of_order for got in received.values()),
        refused=sum(len(got.refused) for got in received.values()),
        invented=sum(1 for code, key in everything if written.get(key) != code),
        differing=_differing(ledgers),
    )


def _arrived(name: EventName, at: _Received | None) -> bool:
    return at is not None and (name in at.stored or name in at.refused)


def _received(code: str, content: LedgerContent) -> _Received:
    found = _Received()
    last: dict[tuple[ReferralKey, str], Place] = {}
    for event in content.events:
        if event.writer == code:
            continue
        if event.outcome != Outcome.STORED:
            found.refused.add((event.writer, event.event_id))
            continue
        found.stored[(event.writer, event.event_id)] += 1
        stream = (event.referral, event.writer)
        if event.place <= last.get(stream, NOWHERE):
            found.out_of_order += 1
        last[stream] = event.place
    return found


def _differing(ledgers: Mapping[str, LedgerContent]) -> int:
    sides: dict[ReferralKey, set[Status]] = {}
    for content in ledgers.values():
        for key, status in content.statuses.items():
            sides.setdefault(key, set()).add(status)
    return sum(1 for seen in sides.values() if len(seen) > 1)
