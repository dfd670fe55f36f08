"""The durable steps of a service, by name, and how to end the process just before or just after one of them."""

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Step(StrEnum):
    """Every commit, send, receipt and offset."""

    KEEP_BYTES = "relay commits the sealed bytes"
    SEND_EVENT = "relay sends an event"
    KEEP_BROKERS_WORD = "relay commits that Kafka has it"
    SEND_RECEIPT = "relay sends a receipt"
    FORGET_RECEIPT = "relay commits that Kafka has the receipt"
    SEND_ANNOUNCEMENT = "relay sends an announcement"
    READ = "ingest reads"
    STORE = "ingest commits an event"
    HEAR_RECEIPT = "ingest commits a receipt"
    SHOW_OFFSET = "ingest shows its offset"
    HAND_OVER = "the agency's own system is given an event"
    KEEP_HANDED_OVER = "hand-over commits that it has it"
    COUNT_ANNOUNCEMENT = "announcer commits its counter"


class Moment(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Point:
    """Just before or after the `nth` time that a step is taken."""

    step: Step
    moment: Moment
    nth: int

    @property
    def line(self) -> str:
        return f"{self.step.name} {self.moment.name} {self.nth}"


def parsed(line: str) -> Point:
    step, moment, nth = line.split()
    return Point(Step[step], Moment[moment], int(nth))


class Crash:
    """Waits for its point, notes it down, and kills this process as kill -9 would. Called from any thread."""

    def __init__(self, point: Point | None, notes: Path) -> None:
        self._point = point
        self._notes = notes
        self._left = point.nth if point else 0
        self._lock = threading.Lock()

    def at(self, step: Step | None, moment: Moment) -> None:
        point = self._point
        if point is None or (step, moment) != (point.step, point.moment):
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                with self._notes.open("ab", buffering=0) as file:
                    file.write(f"{point.line}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


def step_of_commit(thread: str, statements: Sequence[str]) -> Step | None:
    """Which step a transaction is, by who makes it and what it writes; None for one that nobody would miss."""
    written = " ".join(statements)
    signs = {
        "relay": (
            ("INTO sent_values", Step.KEEP_BYTES),
            ("DELETE FROM receipts_owed", Step.FORGET_RECEIPT),
            ("SET acknowledged_at", Step.KEEP_BROKERS_WORD),
        ),
        "ingest": (("INSERT INTO events", Step.STORE), ("receipted_at", Step.HEAR_RECEIPT)),
        "handover": (("UPDATE handovers", Step.KEEP_HANDED_OVER),),
        "announcer": (("announcement_counter", Step.COUNT_ANNOUNCEMENT),),
    }
    return next((step for sign, step in signs.get(thread, ()) if sign in written), None)
