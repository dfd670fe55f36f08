"""Threads that are watched: a failing one is started again after a growing pause, without its message in the log."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from deploy.app.service.supervisor import Pauses, Supervisor, Work
from referral_bus.errors import LedgerUnusable, Reason, Refused, Unreachable
from referral_bus.logs import make_log
from tests.kit.bench import LogLines
from tests.kit.command import PLANTED
from tests.kit.waiting import PATIENCE_S, wait_until

Progress = Callable[[], None]


@pytest.fixture
def log() -> LogLines:
    return LogLines()


@contextmanager
def supervised(log: LogLines, pauses: Pauses = Pauses()) -> Iterator[Supervisor]:  # noqa: B008 # frozen
    made = Supervisor(make_log(log), pauses=pauses)
    yield made
    assert made.finish(PATIENCE_S)


@pytest.fixture
def supervisor(log: LogLines) -> Iterator[Supervisor]:
    with supervised(log) as made:
        yield made


def going_round(stop: threading.Event, progress: Progress) -> None:
    while not stop.wait(0.01):
        progress()


def failing(after_rounds: int, starts: list[float]) -> Work:
    """Fails at the end of that round, at every start."""

    def work(stop: threading.Event, progress: Progress) -> None:
        starts.append(time.monotonic())
        for _ in range(after_rounds):
            progress()
            stop.wait(0.001)
        raise ValueError(f"{PLANTED} was in the row")

    return work


def test_a_thread_that_goes_round_is_healthy_and_ends_when_told(supervisor: Supervisor) -> None:
    supervisor.start("good", going_round)
    wait_until(lambda: supervisor.healthy() == {"good": True})
    assert supervisor.finish(PATIENCE_S)


def test_a_thread_that_fails_is_started_again_and_only_the_place_is_logged(
    supervisor: Supervisor, log: LogLines
) -> None:
    starts: list[float] = []
    supervisor.start("bad", failing(1, starts))
    supervisor.start("good", going_round)
    wait_until(lambda: len(starts) >= 2)
    wait_until(lambda: supervisor.healthy()["good"])
    line = json.loads(log.text.splitlines()[0])
    assert (line["event"], line["thread"], line["level"]) == ("thread_failed", "bad", "error")
    assert line["where"].startswith("ValueError in tests.unit.deploy.app.test_supervisor:")
    assert PLANTED not in log.text


@pytest.mark.parametrize("rounds", [0, 1])
def test_the_pause_grows_for_one_that_fails_at_once(rounds: int, log: LogLines) -> None:
    starts: list[float] = []
    with supervised(log, Pauses(first_s=0.02, longest_s=0.06)) as supervisor:
        supervisor.start("bad", failing(rounds, starts))
        wait_until(lambda: len(starts) >= 5)
    pauses = [after - before for before, after in pairwise(starts)]
    assert all(pause >= least for pause, least in zip(pauses, (0.02, 0.04, 0.06, 0.06), strict=False))


def test_one_that_worked_for_a_while_is_started_again_soon(log: LogLines) -> None:
    starts: list[float] = []
    with supervised(log, Pauses(first_s=0.001, longest_s=1e9)) as supervisor:
        supervisor.start("bad", failing(3, starts))
        wait_until(lambda: len(starts) >= 25)  # with a growing pause this would take hours


def test_every_start_after_a_failure_is_counted(log: LogLines) -> None:
    restarted: list[str] = []
    supervisor = Supervisor(make_log(log), on_restart=restarted.append, pauses=Pauses(first_s=0.01))
    supervisor.start("bad", failing(3, []))
    supervisor.start("good", going_round)
    wait_until(lambda: len(restarted) >= 3)
    assert supervisor.finish(PATIENCE_S)
    assert set(restarted) == {"bad"}


def test_one_whose_ledger_does_not_answer_waits_and_goes_on_and_is_no_defect(log: LogLines) -> None:
    tries: list[int] = []

    def work(stop: threading.Event, progress: Progress) -> None:
        tries.append(1)
        if len(tries) < 20:
            raise Unreachable(Reason.LEDGER_UNREACHABLE, "another process holds it", "ledger")
        going_round(stop, progress)

    restarted: list[str] = []
    supervisor = Supervisor(make_log(log), on_restart=restarted.append, pauses=Pauses(waiting_s=0.01))
    supervisor.start("relay", work)
    wait_until(lambda: len(tries) >= 10)
    assert supervisor.healthy() == {"relay": True}
    wait_until(lambda: len(tries) >= 20)
    assert supervisor.finish(PATIENCE_S)
    [line] = [json.loads(line) for line in log.text.splitlines()]
    assert (line["event"], line["thread"], line["code"]) == ("waiting", "relay", "LEDGER_UNREACHABLE")
    assert restarted == []


def test_a_ledger_that_cannot_be_used_any_more_ends_every_thread_and_is_told(log: LogLines) -> None:
    def work(_: threading.Event, progress: Progress) -> None:
        progress()
        raise LedgerUnusable(Reason.LEDGER_DAMAGED, "restore a backup", "ledger")

    with supervised(log) as supervisor:
        supervisor.start("good", going_round)
        supervisor.start("relay", work)
        assert supervisor.stop.wait(PATIENCE_S)
    assert supervisor.fatal is not None
    assert supervisor.fatal.reason is Reason.LEDGER_DAMAGED
    [line] = [json.loads(line) for line in log.text.splitlines()]
    assert (line["event"], line["code"], line["advice"]) == ("cannot_go_on", "LEDGER_DAMAGED", "restore a backup")


def test_any_other_refusal_is_a_failure_of_that_thread_alone(log: LogLines) -> None:
    def work(_: threading.Event, __: Progress) -> None:
        raise Refused(Reason.HOME_INVALID, "this key file is missing or damaged", "keys")

    with supervised(log) as supervisor:
        supervisor.start("announcer", work)
        wait_until(lambda: "thread_failed" in log.text)
        assert supervisor.fatal is None
        assert not supervisor.stop.is_set()


def test_only_threads_at_work_are_watched(log: LogLines) -> None:
    with supervised(log, Pauses(first_s=30.0)) as supervisor:
        supervisor.start("bad", failing(0, []))
        supervisor.start("good", going_round)
        wait_until(lambda: "thread_failed" in log.text and supervisor.rounds().get("good", 0) > 0)
        assert set(supervisor.rounds()) == {"good"}


def test_one_that_ends_before_it_was_told_to_is_a_failure_too(supervisor: Supervisor, log: LogLines) -> None:
    supervisor.start("early", lambda _stop, _progress: None)
    wait_until(lambda: "ended early" in log.text)
    assert supervisor.healthy() == {"early": False}
    assert len(log.text.splitlines()) < 5  # it does not spin


def test_one_that_is_stuck_is_unhealthy_and_is_reported_when_it_does_not_end(log: LogLines) -> None:
    seen, let_go = threading.Event(), threading.Event()

    def stuck(_: threading.Event, progress: Progress) -> None:
        going_round(seen, progress)
        let_go.wait()

    supervisor = Supervisor(make_log(log), pauses=Pauses(stale_s=0.05))
    supervisor.start("stuck", stuck)
    wait_until(lambda: supervisor.healthy() == {"stuck": True})
    seen.set()
    wait_until(lambda: supervisor.healthy() == {"stuck": False})
    assert not supervisor.finish(0.05)
    let_go.set()
    assert supervisor.finish(PATIENCE_S)


def test_every_round_is_told() -> None:
    told: list[str] = []
    supervisor = Supervisor(make_log(LogLines()), told.append)
    supervisor.start("good", going_round)
    wait_until(lambda: len(told) > 2)
    assert supervisor.finish(PATIENCE_S)
    assert set(told) == {"good"}
