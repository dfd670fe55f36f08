"""Threads that are watched: a failing one is started again after a growing pause, without its message in the log."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from deploy.app import supervisor as module
from deploy.app.supervisor import Supervisor, Work
from referral_bus.logs import make_log
from tests.kit.bench import LogLines
from tests.unit.deploy.app.command import PLANTED

Progress = Callable[[], None]


@pytest.fixture
def log() -> LogLines:
    return LogLines()


@pytest.fixture
def supervisor(log: LogLines) -> Iterator[Supervisor]:
    made = Supervisor(make_log(log), lambda _: None)
    yield made
    assert made.finish(5)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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
    assert supervisor.finish(5)


def test_a_thread_that_fails_is_started_again_and_only_the_place_is_logged(
    supervisor: Supervisor, log: LogLines
) -> None:
    starts: list[float] = []
    supervisor.start("bad", failing(1, starts))
    supervisor.start("good", going_round)
    wait_until(lambda: len(starts) == 2)
    wait_until(lambda: supervisor.healthy()["good"])
    line = json.loads(log.text.splitlines()[0])
    assert (line["event"], line["thread"], line["level"]) == ("thread_failed", "bad", "error")
    assert line["where"].startswith("ValueError in tests.unit.deploy.app.test_supervisor:")
    assert PLANTED not in log.text


@pytest.mark.parametrize("rounds", [0, 1])
def test_the_pause_grows_for_one_that_fails_at_once(
    rounds: int, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.06)
    starts: list[float] = []
    supervisor.start("bad", failing(rounds, starts))
    wait_until(lambda: len(starts) == 5)
    pauses = [after - before for before, after in pairwise(starts)]
    assert all(pause >= least for pause, least in zip(pauses, (0.02, 0.04, 0.06, 0.06), strict=True))


def test_one_that_worked_for_a_while_is_started_again_soon(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 60.0)
    starts: list[float] = []
    supervisor.start("bad", failing(3, starts))
    wait_until(lambda: len(starts) == 12)  # with a growing pause this would take 40 s


def test_one_that_ends_before_it_was_told_to_is_a_failure_too(supervisor: Supervisor, log: LogLines) -> None:
    supervisor.start("early", lambda _stop, _progress: None)
    wait_until(lambda: "ended early" in log.text)
    assert supervisor.healthy() == {"early": False}
    assert len(log.text.splitlines()) < 5  # it does not spin


def test_one_that_is_stuck_is_unhealthy_and_is_reported_when_it_does_not_end(
    log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALE_S", 0.05)
    let_go = threading.Event()

    def stuck(_: threading.Event, progress: Progress) -> None:
        progress()
        let_go.wait()

    supervisor = Supervisor(make_log(log), lambda _: None)
    supervisor.start("stuck", stuck)
    wait_until(lambda: supervisor.healthy() == {"stuck": True})
    wait_until(lambda: supervisor.healthy() == {"stuck": False})
    assert not supervisor.finish(0.05)
    let_go.set()
    assert supervisor.finish(5)


def test_every_round_is_told() -> None:
    told: list[str] = []
    supervisor = Supervisor(make_log(LogLines()), told.append)
    supervisor.start("good", going_round)
    wait_until(lambda: len(told) > 2)
    assert supervisor.finish(5)
    assert set(told) == {"good"}
