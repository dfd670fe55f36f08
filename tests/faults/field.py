"""The field of a fault run: agencies with real services over a real Kafka, their people at work, and the checker."""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from deploy.app.agency_client import AgencyClient, open_client
from referral_bus.clock import Clock, system_clock
from tests.faults.books import came_in, knows_incarnation, read_book, without_receipt, written_by
from tests.faults.checker import Result, check
from tests.faults.ears import HANDLER, Notes, Pull
from tests.faults.load import MIXED, Flow, Load, Staff, Story
from tests.kafka.services import AGENCY_RUN, Process, Services
from tests.kit.homes import OTHER, RECIPIENT, SENDER, Agency

FIRST, MIDDLE, LAST = SENDER, RECIPIENT, OTHER
"""Three agencies; the one in the middle has agreements with both others, both ways."""

NOTES_AT_MIDDLE = {MIDDLE: HANDLER}
"""Its own system is called by its service; the other two pull."""

BOTH_WAYS = (Flow(FIRST, MIDDLE), Flow(MIDDLE, FIRST))
QUICK = {"resend_after_s": "1", "handover_retry_s": "1"}
SETTLED_WITHIN_S = 240.0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass
class Field:
    """`programs` are run in the place of the ordinary service, by agency code."""

    services: Services
    clients: dict[str, AgencyClient]
    load: Load
    handlers: Mapping[str, str]
    programs: dict[str, Sequence[str]] = field(default_factory=dict)
    running: dict[str, Process] = field(default_factory=dict)
    forgotten: dict[str, frozenset[UUID]] = field(default_factory=lambda: defaultdict(frozenset))
    restored: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    def agency(self, code: str) -> Agency:
        return Agency(self.services.folder / code)

    def start(self, *codes: str) -> None:
        """Starts services and does not wait for them."""
        for code in codes:
            self.running[code] = self.services.start(self.agency(code), self.programs.get(code, AGENCY_RUN))

    def start_and_wait(self, *codes: str) -> None:
        self.start(*codes)
        for code in codes:
            self.running[code].wait_until_ready()

    def kill(self, code: str) -> None:
        self.running.pop(code).kill()

    def start_again(self, code: str) -> None:
        """After kill -9."""
        self.kill(code)
        self.start(code)

    def tell(self, what: str) -> None:
        """Where the run is."""
        seconds = time.monotonic() - self.began
        say(f"  {seconds:6.1f} s  {what}: {self.events} events, {self.waiting} under way")

    def begin_again(self, code: str, wrote: frozenset[UUID]) -> None:
        """The agency's ledger, in which it `wrote` all this, was lost and restored: everybody opens it anew."""
        client = open_client(self.agency(code).home)
        self.forgotten[code] = (self.forgotten[code] | wrote) - written_by(client)
        self.clients[code] = client
        self.restored.add(code)
        self.load.staff[code].begin_again(client, Notes(client) if code in self.handlers else Pull(client))

    @property
    def events(self) -> int:
        """How many people's words have been accepted so far."""
        return sum(len(staff.said) for staff in self.load.staff.values())

    @property
    def waiting(self) -> int:
        """How many events have no final receipt."""
        return sum(without_receipt(client) for client in self.clients.values())

    def settle(self, within_s: float = SETTLED_WITHIN_S) -> Result:
        """Waits until everything has been said and receipted, and compares all ledgers. Gives up when for `within_s` no
        word was added and no fewer events waited for their receipts; what waits then shows as lost."""
        accepted, fewest, deadline = self.events, self.waiting, time.monotonic() + within_s
        while not (self.load.idle() and self._quiet()):
            if self.events > accepted or self.waiting < fewest:
                accepted, fewest, deadline = self.events, min(fewest, self.waiting), time.monotonic() + within_s
            if time.monotonic() > deadline:
                self.tell("not settled")
                break
            time.sleep(0.1)
        self.tell("at rest")
        said = [words for staff in self.load.staff.values() for words in staff.said]
        heard = {code: staff.heard for code, staff in self.load.staff.items()}
        return check(
            said, {code: read_book(client, heard[code], self.forgotten[code]) for code, client in self.clients.items()}
        )

    def _quiet(self) -> bool:
        """Twice in a row with nothing said between: people may be about to answer what has just come."""
        before = self.events
        if self.waiting or not self._all_heard() or not self._restored_are_known():
            return False
        time.sleep(0.3)
        return self.events == before and not self.waiting and self._all_heard()

    def _restored_are_known(self) -> bool:
        """What a restored ledger has lost waits again only once the others have heard of that."""
        clients = self.clients.values()
        return all(knows_incarnation(client, self.clients[code]) for code in self.restored for client in clients)

    def _all_heard(self) -> bool:
        return all(self.load.staff[code].has_heard >= came_in(client) for code, client in self.clients.items())


@contextmanager
def field_of(
    folder: Path,
    kafka: str,
    flows: Sequence[Flow] = BOTH_WAYS,
    stories: Sequence[Story] = MIXED,
    settings: Mapping[str, str] = QUICK,
    copies: int = 1,
    clocks: Mapping[str, Clock] | None = None,
    handlers: Mapping[str, str] = NOTES_AT_MIDDLE,
) -> Iterator[Field]:
    """A federation of its own with topics, no service running yet, nobody at work before `want`. `clocks` are those of
    people whose agency has a clock of its own."""
    services = Services(folder, kafka, copies)
    codes = sorted({code for flow in flows for code in (flow.sender, flow.recipient)})
    for code in codes:
        Agency(folder / code).set_to(**settings)
    for code, handler in handlers.items():
        Agency(folder / code).set_to(handler=f"'{handler}'")
    services.make_topics()
    clients = {code: open_client(folder / code, (clocks or {}).get(code, system_clock)) for code in codes}
    staff = {
        code: Staff(client, Notes(client) if code in handlers else Pull(client)) for code, client in clients.items()
    }
    try:
        with Load(staff, flows, stories) as load:
            yield Field(services, clients, load, handlers)
    finally:
        services.end()
        for client in clients.values():
            client.close()
