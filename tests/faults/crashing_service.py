"""An agency's service that is killed at given points, one after the other, and started again each time at once.

`python -m tests.faults.crashing_service POINTS --home HOME`: the points stand in a file, one a line; each that was
reached is noted down in HOME.crashes. After the last one the service runs undisturbed. Everything is loaded once and
each life is a fork of that, so that a restart takes no longer than opening the ledger and reaching Kafka.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.app.service.agency_service import run_service
from referral_bus.broker.kafka import KafkaBroker
from referral_bus.home import open_home
from referral_bus.logs import make_log, quiet_libraries
from tests.faults.crashing_ends import CrashingAgencyClient, CrashingBroker
from tests.faults.steps import Crash, Point, parsed


def program(points: Path) -> Sequence[str]:
    return "tests.faults.crashing_service", str(points)


def crashes(home: Path) -> list[Point]:
    """Those that have happened so far."""
    notes = home.with_suffix(".crashes")
    return [parsed(line) for line in notes.read_text(encoding="ascii").splitlines()] if notes.exists() else []


def main(points: Path, home: Path) -> None:
    quiet_libraries()
    for line in points.read_text(encoding="ascii").splitlines():
        life = os.fork()
        if life == 0:
            _live(home, parsed(line))
        _, status = os.waitpid(life, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit("it ended by itself")
    _live(home, None)


def _live(home: Path, point: Point | None) -> None:
    crash = Crash(point, home.with_suffix(".crashes"))
    client = CrashingAgencyClient(open_home(home), crash)
    code = client.settings.agency
    log = make_log(sys.stderr, agency=code)
    run_service(client, lambda kafka: CrashingBroker(KafkaBroker(kafka, f"referral-bus-{code}"), crash), log)
    sys.exit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[-1]))
