"""F12: a recipient that was away for days catches up with what waits for it, in little memory."""

import time
from pathlib import Path

import pytest

from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, Field, field_of
from tests.faults.load import TO_AND_FRO, UNANSWERED, Flow, referrals_for
from tests.kafka.services import Process
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

STORIES = (*[UNANSWERED] * 49, TO_AND_FRO)
RESIDENT_MB = 150.0
CAUGHT_UP_WITHIN_S = 900.0


def test_f12_a_recipient_that_was_away_catches_up(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report
) -> None:
    events = dose(full=50_000, small=2_000)
    with field_of(tmp_path, kafka_bootstrap, [Flow(FIRST, MIDDLE)], STORIES, settings={}) as field:
        field.start_and_wait(FIRST, MIDDLE)
        field.running.pop(MIDDLE).terminate()  # its keys are known, and it is away
        field.load.want(referrals_for(events, STORIES))
        wait_until(field.load.idle, within_s=CAUGHT_UP_WITHIN_S)
        backlog = field.waiting
        field.tell("it comes back")

        began = time.monotonic()
        field.start_and_wait(MIDDLE)
        wait_until(lambda: field.waiting < backlog / 100, within_s=CAUGHT_UP_WITHIN_S)
        seconds = time.monotonic() - began
        result, peak = field.settle(), peak_mb(field)
    report("F12", f"{backlog} events, {backlog / seconds:.0f} a second, {peak:.0f} MB", result)
    assert peak < RESIDENT_MB


def peak_mb(field: Field) -> float:
    return max(_peak_mb(process) for process in field.running.values())


def _peak_mb(process: Process) -> float:
    """The most that a process has ever had resident."""
    lines = Path(f"/proc/{process.popen.pid}/status").read_text(encoding="ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) / 1000
