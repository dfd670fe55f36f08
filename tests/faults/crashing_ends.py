"""What a service has around it, each part counting its steps for a crash: broker, ledger, the agency's own system."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from consumers.agency.handover import Handler
from deploy.app.agency_client import AgencyClient
from referral_bus.broker.protocols import Broker, Delivery, Position, Reader, Sender, Sending, Topic, Unreadable
from referral_bus.clock import system_clock
from referral_bus.home import Home
from referral_bus.ledger.handovers import Received
from referral_bus.wire.raw import RawRecord
from tests.faults.ears import note_down
from tests.faults.steps import Crash, Moment, Step, step_of_commit

HANDLER = "tests.faults.crashing_ends:note_down_and_crash"
SENT = {"ReferralEvent": Step.SEND_EVENT, "StatusEvent": Step.SEND_EVENT, "StorageReceipt": Step.SEND_RECEIPT}


class CrashingSender:
    def __init__(self, inner: Sender, crash: Crash) -> None:
        self._inner = inner
        self._crash = crash

    def send(self, record: RawRecord) -> Sending | None:
        kind = (record.header("ce_type") or b"..").decode().split(".")[1]
        step = SENT.get(kind, Step.SEND_ANNOUNCEMENT)
        self._crash.at(step, Moment.BEFORE)
        sending = self._inner.send(record)
        self._crash.at(step, Moment.AFTER)
        return sending

    def close(self) -> None:
        self._inner.close()


class CrashingReader:
    def __init__(self, inner: Reader, crash: Crash) -> None:
        self._inner = inner
        self._crash = crash

    def assign(self, positions: Sequence[Position]) -> None:
        self._inner.assign(positions)

    def poll(self, timeout_s: float, max_records: int) -> Sequence[Delivery]:
        self._crash.at(Step.READ, Moment.BEFORE)
        batch = self._inner.poll(timeout_s, max_records)
        if batch:
            self._crash.at(Step.READ, Moment.AFTER)
        return batch

    def passed_over(self) -> Sequence[Unreadable]:
        return self._inner.passed_over()

    def reached(self) -> Sequence[Position]:
        return self._inner.reached()

    def commit(self, positions: Sequence[Position]) -> None:
        self._crash.at(Step.SHOW_OFFSET, Moment.BEFORE)
        self._inner.commit(positions)
        self._crash.at(Step.SHOW_OFFSET, Moment.AFTER)

    def close(self) -> None:
        self._inner.close()


class CrashingBroker:
    def __init__(self, inner: Broker, crash: Crash) -> None:
        self._inner = inner
        self._crash = crash

    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        return self._inner.topics(names)

    def ends(self, topic: Topic) -> Mapping[int, int]:
        return self._inner.ends(topic)

    def sender(self) -> Sender:
        return CrashingSender(self._inner.sender(), self._crash)

    def reader(self, group: str) -> Reader:
        return CrashingReader(self._inner.reader(group), self._crash)

    def close(self) -> None:
        self._inner.close()


class CrashingAgencyClient(AgencyClient):
    """An agency client whose ledger counts commits. It takes the crash to the handler that the service makes of it."""

    def __init__(self, home: Home, crash: Crash) -> None:
        super().__init__(home, system_clock)
        self.crash = crash
        watch_commits(self.ledger.engine, crash)


def note_down_and_crash(client: CrashingAgencyClient) -> Handler:
    take = note_down(client)

    def crashing(received: Received) -> None:
        client.crash.at(Step.HAND_OVER, Moment.BEFORE)
        take(received)
        client.crash.at(Step.HAND_OVER, Moment.AFTER)

    return crashing


def watch_commits(engine: sa.Engine, crash: Crash) -> None:
    """A commit is over when its connection goes back to the pool: in between nothing is written."""

    def executed(connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        connection.info.setdefault("statements", []).append(statement)

    def committing(connection: sa.Connection) -> None:
        step = step_of_commit(threading.current_thread().name, connection.info.get("statements", ()))
        connection.info["step"] = step
        crash.at(step, Moment.BEFORE)

    def returned(_connection: object, record: Any) -> None:
        record.info.pop("statements", None)
        crash.at(record.info.pop("step", None), Moment.AFTER)

    watched: Mapping[str, Callable[..., None]] = {
        "before_cursor_execute": executed,
        "commit": committing,
        "checkin": returned,
    }
    for name, watch in watched.items():
        sa.event.listen(engine, name, watch)
