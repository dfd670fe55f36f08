"""An agency's service whose clock is wrong: by as many seconds as stand in a file beside its home, at any moment."""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from deploy.app.agency_client import open_client
from deploy.app.service.agency_service import run_service
from referral_bus.broker.kafka import KafkaBroker
from referral_bus.clock import Clock, system_clock
from referral_bus.logs import make_log, quiet_libraries

PROGRAM = ("tests.faults.clocked_service",)


def wrong_clock(home: Path) -> Clock:
    path = _path(home)

    def now() -> datetime:
        return system_clock() + timedelta(seconds=float(path.read_text(encoding="ascii")))

    return now


def set_wrong(home: Path, seconds: float) -> None:
    """From now on it is wrong by so much."""
    partial = _path(home).with_suffix(".new")
    partial.write_text(str(seconds), encoding="ascii")
    partial.replace(_path(home))


def _path(home: Path) -> Path:
    return home.with_suffix(".clock")


def main(home: Path) -> None:
    quiet_libraries()
    client = open_client(home, wrong_clock(home))
    code = client.settings.agency
    run_service(client, lambda kafka: KafkaBroker(kafka, f"referral-bus-{code}"), make_log(sys.stderr, agency=code))


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
