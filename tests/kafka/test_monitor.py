"""The flow monitor over a real Kafka."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer

from deploy.app.commands import monitor as monitor_commands
from deploy.app.service.service_status import read_status
from referral_bus.broker.kafka import Connection
from referral_bus.broker.kafka.lag import KafkaLag
from referral_bus.broker.lag import Extent
from referral_bus.broker.protocols import Position
from referral_bus.errors import Unreachable
from referral_bus.home import Home
from tests.contract.broker.crafted import in_snappy, plain, produce
from tests.kafka.monitored import MINUTE, Monitored
from tests.kit.promtool import firing
from tests.kit.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kafka

LIVES, STOPS, SILENT, ROGUE = CODES = ("family-women", "public-health", "justice", "law-university")
RUN = "import typer; from deploy.app.commands import monitor as m; a = typer.Typer(); m.add_to(a); a(['monitor', {}])"


@pytest.fixture
def world(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Monitored]:
    made = Monitored(kafka_bootstrap, tmp_path / "monitor", CODES)
    yield made
    made.close()


def inbox(world: Monitored, code: str) -> str:
    return world.register.inbox(code) or ""


def monitor(*arguments: str) -> int:
    """A `monitor` command, in this process."""
    app = typer.Typer()
    app.callback()(lambda: None)
    monitor_commands.add_to(app)
    result = app(["monitor", *arguments], standalone_mode=False)
    return result if isinstance(result, int) else 0


Scrape = tuple[datetime, dict[str, float]]


def an_hour(world: Monitored) -> list[Scrape]:
    """Minute by minute. For most of it all is well, and what is left out of that is as at its beginning; then one
    agency stops and owes a word, and another writes to one to which it may not. One has never been there."""
    scrapes = []
    for minute in range(70):
        if minute == 0 or minute > 54:
            lives = [LIVES, ROGUE, STOPS] if minute <= 55 else [LIVES, ROGUE]
            world.heartbeats(lives)
            if minute == 0:
                world.stored(world.referral(LIVES, STOPS, due=world.now + timedelta(days=3)))
            if minute == 56:
                world.referral(LIVES, STOPS, due=world.now + 2 * MINUTE)
                world.referral(ROGUE, SILENT, due=world.now + timedelta(days=1))
            for code in lives:
                world.reads(code)
            world.watch()
            if minute > 54:
                scrapes.append((world.now, world.scrape()))
        world.now += MINUTE
    return scrapes


def series(scrape: dict[str, float], name: str) -> set[str]:
    """The labels of those that are not zero."""
    return {key.removeprefix(f"referralbus_{name}") for key, value in scrape.items() if f"_{name}{{" in key and value}


def test_one_stopped_one_silent_one_without_agreement_are_named_and_nobody_else(
    world: Monitored, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scrapes = an_hour(world)
    last = scrapes[-1][1]

    flow = f'{{event_type="ReferralEvent",source_agency="{ROGUE}",target_agency="{SILENT}"}}'
    assert series(last, "unagreed_flow_events_total") == {flow}
    assert series(last, "forged_events_total") == set()
    assert series(last, "referrals_overdue") == {f'{{stage="not-stored",target_agency="{STOPS}"}}'}
    unread = {labels.split('"')[1] for labels in series(last, "consumer_lag_records")}
    assert unread == {f"referral-bus.{STOPS}", f"referral-bus.{SILENT}"}

    assert firing(scrapes, 55, tmp_path) == {
        f"AgencyHeartbeatMissing {STOPS}",
        f"AgencyNeverSeen {SILENT}",
        f"ReferralsUnacknowledged {STOPS}",
        f"UnagreedFlow {ROGUE} to {SILENT}",
        "Watchdog",
    }

    needs, page = status(world, capsys)
    assert needs == {("overdue", STOPS), ("silent", STOPS), ("never seen", SILENT), ("no agreement", ROGUE)}
    assert f"{ROGUE} to {SILENT}, ReferralEvent" in page
    assert f"referrals@{STOPS}.example" in page


def test_when_all_is_well_nobody_is_named(world: Monitored, tmp_path: Path) -> None:
    scrapes = []
    for _ in range(12):
        world.heartbeats(CODES)
        for code in CODES:
            world.reads(code)
        world.watch()
        scrapes.append((world.now, world.scrape()))
        world.now += MINUTE

    assert firing(scrapes, 55, tmp_path) == {"Watchdog"}


def status(world: Monitored, capsys: pytest.CaptureFixture[str]) -> tuple[set[tuple[str, str]], str]:
    """What needs a person, as the command says it, and its page."""
    capsys.readouterr()
    monitor("status", "--home", str(world.home.folder), "--json")
    document = json.loads(capsys.readouterr().out)
    monitor("status", "--home", str(world.home.folder))
    return {(need["kind"], need["agency"]) for need in document["needs"]}, capsys.readouterr().out


def test_a_killed_monitor_goes_on_where_it_was(world: Monitored) -> None:
    for _ in range(30):
        world.referral(LIVES, STOPS, due=world.now + timedelta(days=1))
    taken = 0
    while taken < 10:
        batch = world.reader.poll(0.5, 5)
        world.service.reading.take(batch)
        taken += len(batch)

    world.reader.close()
    world.service.store.close()
    world.start_monitor()
    world.watch()

    name = "referralbus_flow_events_total"
    assert [value for series, value in world.scrape().items() if series.startswith(name)] == [30.0]


def test_what_kafka_tells_of_others(world: Monitored) -> None:
    topic = world.broker.topics([inbox(world, STOPS)])[inbox(world, STOPS)]
    group = f"group-{topic.topic_id}"
    for _ in range(4):
        world.referral(LIVES, STOPS, due=world.now + timedelta(days=1))
    reader = world.broker.reader(group)
    reader.commit([Position(topic.name, topic.topic_id, 0, 3)])
    reader.close()

    wait_until(lambda: world.committed(group, topic.name) == 3)
    assert world.lag.committed(["nobody"]) == {"nobody": {}}
    there = [(topic.name, 0), ("no.such.topic", 0), (topic.name, 7)]
    assert world.lag.extents(there) == {(topic.name, 0): Extent(0, 4)}
    places = [Position(topic.name, topic.topic_id, 0, offset) for offset in (0, 3)]
    first, last = (world.lag.appended_at(places)[place] for place in places)
    assert first < last
    assert abs(time.time() - last.timestamp()) < 60


def test_a_batch_that_nobody_can_unpack_hides_only_its_own_age(world: Monitored) -> None:
    broken, sound = (world.broker.topics([inbox(world, code)])[inbox(world, code)] for code in (STOPS, SILENT))
    produce(world.kafka, broken.name, in_snappy(plain([b"v"])))
    world.referral(LIVES, SILENT, due=world.now + timedelta(days=1))

    places = [Position(one.name, one.topic_id, 0, 0) for one in (broken, sound)]

    assert set(world.lag.appended_at(places)) == {places[1]}


@pytest.mark.parametrize("question", ["committed", "extents", "appended_at"])
def test_a_kafka_that_is_away_is_told_in_time(question: str) -> None:
    source = KafkaLag(Connection("127.0.0.1:1", "nowhere"), answer_within_s=1)
    about = {"committed": "g", "extents": ("t", 0), "appended_at": Position("t", "", 0, 0)}[question]
    began = time.monotonic()

    with pytest.raises(Unreachable):
        getattr(source, question)([about])

    assert time.monotonic() - began < 10
    source.close()


def test_the_service_runs_says_how_it_is_and_ends_in_order(world: Monitored, tmp_path: Path) -> None:
    world.heartbeats([LIVES])
    world.service.store.close()
    folder = world.home.folder
    log = (tmp_path / "log").open("wb")
    run = subprocess.Popen(
        [sys.executable, "-c", RUN.format(f"'run', '--home', {str(folder)!r}")], stdout=log, stderr=log
    )
    try:
        wait_until(lambda: run.poll() is not None or read_status(Home(folder)).ready)
        port = read_status(Home(folder)).http_port
        assert ask(port, "healthz")[0] == 200
        assert json.loads(ask(port, "readyz")[1]) == {
            "thread_reading": True,
            "thread_watching": True,
            "thread_register": True,
            "thread_http": True,
            "thread_watchdog": True,
            "broker": True,
            "topics": True,
            "register": True,
            "database": True,
        }
        heartbeat = f'referralbus_agency_heartbeat_timestamp_seconds{{agency="{LIVES}"}}'
        wait_until(lambda: heartbeat in ask(port, "metrics")[1])
        second = subprocess.run(
            [sys.executable, "-c", RUN.format(f"'run', '--home', {str(folder)!r}")], capture_output=True, text=True
        )
        assert "this monitor is running already" in second.stderr
    finally:
        run.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = run.wait(PATIENCE_S)
        log.close()
    assert code == 0, (tmp_path / "log").read_text()
    assert time.monotonic() - began < 10
    assert '"event": "stopped"' in (tmp_path / "log").read_text()


def ask(port: int | None, path: str) -> tuple[int, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE_S) as answer:
        return answer.status, answer.read().decode()
