"""How an agency's own system is given what came in: it pulls, or its handler is called by the service."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from pydantic import TypeAdapter

from consumers.agency.handover import Handler
from deploy.app.agency_client import AgencyClient
from referral_bus.ledger.handovers import Received
from schemas.lifecycle import Side
from schemas.personal import StatusBody
from tests.faults.books import handed_over, text_of

HANDLER = "tests.faults.ears:note_down"
PULLED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class News:
    """One event as the agency's own system got it. `about` is its business status."""

    event_id: UUID
    referral: UUID
    peer: str
    side: Side
    record: str
    about: str | None
    text: str | None


_LINE = TypeAdapter(News)


class Ear(Protocol):
    heard_before: Container[UUID]
    """What it does not tell again, though its ledger was restored."""

    def listen(self) -> Sequence[News]:
        """What has come since the last time."""
        ...


class Pull:
    """Asks with a cursor; asking anew says that what was before it has been taken."""

    def __init__(self, client: AgencyClient) -> None:
        self.heard_before: Container[UUID] = ()
        self._client = client
        self._cursor = 0

    def listen(self) -> Sequence[News]:
        came = self._client.received_after(self._cursor, PULLED_AT_ONCE)
        if came:
            self._cursor = came[-1].cursor
        return [news(each) for each in came]


class Notes:
    """Reads what the handler in the service's process has noted down."""

    def __init__(self, client: AgencyClient) -> None:
        self._path = _notes(client)
        self._read = self._path.stat().st_size if self._path.exists() else 0
        self.heard_before: Container[UUID] = handed_over(client)

    def listen(self) -> Sequence[News]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        return [_LINE.validate_json(line) for line in whole.splitlines()]


def note_down(client: AgencyClient) -> Handler:
    """The handler: one line for each event, in one write, so that a killed service leaves no half of one."""
    path = _notes(client)

    def take(received: Received) -> None:
        with path.open("ab", buffering=0) as file:
            file.write(_LINE.dump_json(news(received)) + b"\n")

    return take


def news(received: Received) -> News:
    about = received.body.business_status if isinstance(received.body, StatusBody) else None
    return News(
        event_id=received.event_id,
        referral=received.referral.referral_id,
        peer=received.peer,
        side=received.side,
        record=received.record,
        about=about,
        text=text_of(received.body),
    )


def _notes(client: AgencyClient) -> Path:
    return client.home.folder.with_suffix(".notes")
