"""F4 and F9: the service is stopped in the middle of everything and wakes later; its disk is full, and freed."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, QUICK, Field, field_of
from tests.faults.load import QUIET, referrals_for
from tests.kafka.services import AGENCY_RUN
from tests.kit.small_disk import small_disk
from tests.kit.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kafka

STUCK_AFTER_S = 10
STOPPED_S = 3 * STUCK_AFTER_S
"""Longer than any thread may go without progress."""

FULL_S = (1.0, 4.0)
MEGABYTES = 24


def test_f4_a_service_that_was_stopped_wakes_and_goes_on_and_no_second_one_takes_its_place(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    times, events = dose(full=10, small=1), dose(full=200, small=100)
    stopped_s = dose(full=STOPPED_S, small=STUCK_AFTER_S + 2)
    lowered = QUICK | {"stuck_after_s": str(STUCK_AFTER_S)}
    with field_of(tmp_path, kafka_bootstrap, settings=lowered) as field:
        field.start_and_wait(*field.clients)
        for number in range(times):
            field.load.want(referrals_for(events))
            time.sleep(chance.uniform(0, 1))
            zombie = field.running[(FIRST, MIDDLE)[number % 2]]
            zombie.popen.send_signal(signal.SIGSTOP)
            time.sleep(stopped_s)
            second = second_service(field, (FIRST, MIDDLE)[number % 2])
            assert second.returncode == 2, second.stderr
            assert "ALREADY_RUNNING" in second.stderr
            zombie.popen.send_signal(signal.SIGCONT)
            zombie.wait_until_ready()
            field.tell(f"{number + 1} times stopped for {stopped_s} s")
        result = field.settle()
        assert all(process.popen.poll() is None for process in field.running.values()), "it woke as if nothing had been"
    report("F4", f"{times} x {stopped_s} s", result)


def second_service(field: Field, code: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", *AGENCY_RUN, "--home", str(field.agency(code).home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def shows_it(field: Field) -> bool:
    """A service with little to write finds room in what it has; so the other agency goes on, until it is felt."""
    if not field.running[MIDDLE].status().ready:
        return True
    field.load.staff[FIRST].refer(MIDDLE, [QUIET] * 5)
    time.sleep(0.3)
    return False


def test_f9_an_agency_whose_disk_is_full_loses_nothing_and_goes_on_once_there_is_room(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    times, events = dose(full=10, small=1), dose(full=60, small=60)
    with field_of(tmp_path, kafka_bootstrap) as field:
        field.clients[MIDDLE].close()
        with small_disk(field.agency(MIDDLE).home, MEGABYTES) as disk:
            field.begin_again(MIDDLE, frozenset())
            field.start_and_wait(*field.clients)
            for number in range(times):
                field.load.want(referrals_for(events))
                time.sleep(chance.uniform(0, 0.5))
                with field.load.at_rest():  # its people can write nothing either
                    disk.fill()
                    wait_until(lambda: shows_it(field))
                    time.sleep(chance.uniform(*FULL_S))
                    disk.free()
                field.running[MIDDLE].wait_until_ready()
                field.tell(f"{number + 1} times full")
            result = field.settle()
            field.services.end()
            field.clients[MIDDLE].close()
    report("F9", f"{times} times", result)
