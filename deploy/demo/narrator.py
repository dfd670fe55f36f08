"""Prints what happens while it happens: one line for each event that its addressee has stored."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from deploy.app.output import printable
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import Received
from referral_bus.ledger.store import Ledger
from schemas.personal import ReferralBody, StatusBody

EVERY_S = 0.1


class Narrator:
    """Watches the agencies' ledgers in a thread, from its construction on, and says a line for each new event."""

    def __init__(self, ledgers: Mapping[str, Ledger], say: Callable[[str], None]) -> None:
        self._ledgers = ledgers
        self._say = say
        self._cursors = {code: _newest(ledger) for code, ledger in ledgers.items()}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="narrator", daemon=True)

    def __enter__(self) -> "Narrator":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look()

    def say(self, line: str) -> None:
        """Says a line of the story itself, after the lines of all events that came before."""
        self._look()
        self._say(line)

    def _look(self) -> None:
        with self._lock:
            self._tell_what_came()

    def _tell_what_came(self) -> None:
        came: list[tuple[datetime, str, Received]] = []
        for code, ledger in self._ledgers.items():
            with ledger.read() as tx:
                for received in handovers.after_cursor(tx, self._cursors[code], 1000):
                    came.append((received.recorded_at, code, received))
                    self._cursors[code] = received.cursor
        for at, code, received in sorted(came, key=lambda each: each[0]):
            self._say(line(code, received, at))


def _newest(ledger: Ledger) -> int:
    with ledger.read() as tx:
        return handovers.newest(tx)


def line(at_agency: str, received: Received, at: datetime) -> str:
    """The line for one event, as in `14:05:02Z  family-women → public-health  3f2a91bc  accepted  stored after 41 ms`,
    in UTC."""
    took = round((at - received.occurred_at).total_seconds() * 1000)
    way = f"{received.peer} → {at_agency}"
    return printable(
        f"  {at.astimezone(UTC):%H:%M:%S}Z  {way:<34} {str(received.referral.referral_id)[:8]}  {_says(received):<44}"
        f" stored after {took} ms"
    )


def _says(received: Received) -> str:
    body = received.body
    if received.kind is not None:
        return f"erasure {received.kind} ({received.reason})"
    if isinstance(body, ReferralBody):
        again = ", replaces another" if body.request.replaces else ""
        return f"new referral: {', '.join(body.request.service_types)}{again}"
    words = [] if received.status is None else [str(received.status)]
    if isinstance(body, StatusBody):
        words += [word for word in (body.business_status, body.outcome, body.outcome_reason) if word]
        if body.suggested_agency:
            words.append(f"suggests {body.suggested_agency}")
    return ", ".join(words)


def wait_for(condition: Callable[[], bool], within_s: float, every_s: float = 0.02) -> bool:
    """Waits until `condition` is true, asking every `every_s` seconds. Returns False when it was not within
    `within_s`."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
