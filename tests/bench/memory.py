"""How much memory an agency's service takes: python -m tests.bench.memory [EVENTS]

Real services over a real Kafka of their own. A sender gets an outbox of so many referrals while Kafka is away, sends
them while the recipient is away, and the recipient takes in that backlog. What is printed is resident memory in MB:
after the start, the most in each phase, and at its end.
"""

import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.app.agency_client import AgencyClient, open_client
from referral_bus.ledger import queries
from tests.faults.brokers import OwnKafka, own_kafka
from tests.kafka.services import Process, Services, started
from tests.kit.homes import RECIPIENT
from tests.kit.people import request

AT_ONCE = 500
AWAY_S = 60.0


def fill(client: AgencyClient, number: int) -> None:
    for first in range(0, number, AT_ONCE):
        client.publish([request(RECIPIENT) for _ in range(min(AT_ONCE, number - first))])


def outbox(client: AgencyClient, *states: str) -> int:
    marks = ", ".join(f"'{state}'" for state in states)
    with client.ledger.read() as tx:
        query = f"SELECT count(*) FROM outbox WHERE state IN ({marks})"  # noqa: S608 # our own words
        return int(tx.connection.exec_driver_sql(query).scalar_one())


def watch(title: str, process: Process, until: Callable[[], bool]) -> None:
    """Looks ten times a second, and says what was seen."""
    began, most = time.monotonic(), 0.0
    while not until():
        for _ in range(10):
            most = max(most, process.resident_mb())
            time.sleep(0.1)
    took = time.monotonic() - began
    print(f"{title:<52} most {most:5.0f} MB, then {process.resident_mb():5.0f} MB  {took:6.0f} s")  # noqa: T201


def measure(services: Services, kafka: OwnKafka, number: int) -> None:
    sender, recipient = started(services, [services.sender, services.recipient])
    for title, process in (("sender", sender), ("recipient", recipient)):
        print(f"{title} after its start: {process.resident_mb():.0f} MB")  # noqa: T201
    recipient.terminate()
    kafka.kill()
    with closing(open_client(services.sender.home)) as client, closing(open_client(services.recipient.home)) as there:
        fill(client, number)
        over = time.monotonic() + AWAY_S
        watch(f"sender, {number} in its outbox, without Kafka", sender, lambda: time.monotonic() > over)
        kafka.start()
        watch("sender, sending them", sender, lambda: unsent(client) == 0)
        [recipient] = started(services, [services.recipient])
        watch(f"recipient, {number} in its inbox", recipient, lambda: _known(there) >= number)
        watch("sender, taking their receipts", sender, lambda: outbox(client, "stored") >= number)
        with client.ledger.read() as tx:
            assert queries.counts(tx).outbox == 0
    for process in (sender, recipient):
        process.terminate()


def unsent(client: AgencyClient) -> int:
    """What the broker has not acknowledged yet."""
    with client.ledger.read() as tx:
        query = "SELECT count(*) FROM outbox WHERE acknowledged_at IS NULL"
        return int(tx.connection.exec_driver_sql(query).scalar_one())


def _known(client: AgencyClient) -> int:
    with client.ledger.read() as tx:
        return int(tx.connection.exec_driver_sql("SELECT count(*) FROM referrals").scalar_one())


def main(number: int = 50_000) -> None:
    with TemporaryDirectory() as folder, own_kafka(Path(folder)) as kafka:
        services = Services(Path(folder) / "agencies", kafka.bootstrap)
        services.make_topics()
        try:
            measure(services, kafka, number)
        finally:
            services.end()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
