"""What stays: over restarts, crashes, a lost database, a wiped Kafka, an agency that leaves."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from consumers.monitor import monitor_reader, tables
from consumers.monitor.store import Store, open_store
from referral_bus.broker.protocols import Delivery
from referral_bus.errors import LedgerUnusable, Refused, Unreachable
from referral_bus.federation.register import Register
from tests.kit.bench import START, Bench
from tests.kit.forge import a_referral, event_record
from tests.kit.lookout import Lookout, later, lookout
from tests.kit.registers import changed, without_agreement

SENDER, RECIPIENT = "family-women", "public-health"


def busy_hours(bench: Bench, monitor: Lookout) -> None:
    """Some of everything, not read yet."""
    referrals = [bench[SENDER].refer(RECIPIENT, priority="stat") for _ in range(12)]
    bench.settle()
    later(bench, monitor, timedelta(hours=1))
    for referral in referrals[:9]:
        bench[RECIPIENT].say("accept", referral)
    bench.announce()
    later(bench, monitor, timedelta(hours=1))
    for referral in referrals[:4]:
        bench[RECIPIENT].say("complete", referral, outcome="provided")
    bench.settle()


def kept(monitor: Lookout) -> dict[str, float]:
    """All that is shown but for how far others are."""
    return {name: value for name, value in monitor.samples().items() if not name.startswith("consumer_")}


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        busy_hours(bench, monitor)
        monitor.read()
        before = kept(monitor)

        monitor.start()
        monitor.read()

        assert kept(monitor) == before
        assert before['referrals_open{stage="in-service",target_agency="public-health"}'] == 5


@pytest.mark.parametrize("where", ["take_batch", "save_tally", "save_positions"])
def test_a_crash_between_any_two_writes_counts_nothing_twice(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        busy_hours(bench, monitor)
        undisturbed = Lookout(bench, tmp_path / "undisturbed.sqlite")
        undisturbed.clock.now = monitor.clock.now

        class KilledError(BaseException):
            """Nothing of ours catches it, as nothing catches kill -9."""

        with monkeypatch.context() as patched:
            real, calls = getattr(monitor_reader, where), iter(range(100))

            def killed_at_the_third(*arguments: object) -> object:
                done = real(*arguments)
                if next(calls) == 2:
                    raise KilledError
                return done

            patched.setattr(monitor_reader, where, killed_at_the_third)
            with pytest.raises(KilledError):
                monitor.read()
        monitor.start()
        monitor.read()
        undisturbed.read()

        assert kept(monitor) == kept(undisturbed)
        undisturbed.close()


def test_a_lost_database_is_read_again_and_says_from_when_it_knows(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        first = bench.clock()
        busy_hours(bench, monitor)
        monitor.read()
        before = kept(monitor)
        later(bench, monitor, timedelta(days=3))

        monitor.lose_database()
        assert monitor.overview().stale
        monitor.read()

        behind = {"monitor_position_timestamp_seconds"}
        after = kept(monitor)
        counted = {name for name in before if not name.startswith("referrals_overdue")} - behind
        assert {name: after[name] for name in counted} == {name: before[name] for name in counted}
        assert monitor.overview().knows_since == first
        assert not monitor.overview().stale


def test_where_kafka_has_forgotten_it_knows_only_since_then(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        bench[SENDER].refer(RECIPIENT)
        bench.settle()
        later(bench, monitor, timedelta(days=1))
        cut = bench.clock()
        bench[SENDER].refer(RECIPIENT)
        bench.settle()
        log = bench.broker.log(*_inbox(bench, RECIPIENT), 0) or []

        monitor.lose_database()
        deliveries = [one for one in log if isinstance(one, Delivery) and one.appended_at == cut]
        monitor.reading.take(deliveries)

        assert deliveries[0].offset > 0
        assert monitor.overview().knows_since == cut


def _inbox(bench: Bench, code: str) -> tuple[str, str]:
    topic = bench.register.inbox(code) or ""
    return topic, bench.broker.topics([topic])[topic].topic_id


def test_of_a_referral_that_kafka_has_forgotten_the_answers_tell(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT)
        bench.settle()
        bench[RECIPIENT].say("accept", referral)
        bench.settle()
        log = bench.broker.log(*_inbox(bench, SENDER), 0) or []

        monitor.reading.take([one for one in log if isinstance(one, Delivery)])

        assert monitor.open(RECIPIENT) == {"in-service": 1}
        assert monitor.total("referral_acks_total") == 0
        assert monitor.overview().waiting[0].priority == "other"


def test_a_topic_made_anew_is_read_from_its_start_and_nothing_is_forgotten(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        known = event_record(bench, a_referral(bench, SENDER, RECIPIENT))
        monitor.hear(known)

        bench.broker.wipe()
        monitor.hear(known, event_record(bench, a_referral(bench, SENDER, RECIPIENT)))

        assert monitor.open(RECIPIENT) == {"not-stored": 2}
        assert monitor.total("flow_events_total") == 2


def test_an_agency_that_the_register_has_lost_stays_in_sight_while_it_owes_answers(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, "barqaror-hayot") as (bench, monitor):
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))

        monitor.own_register = without(bench.register, RECIPIENT)
        later(bench, monitor, timedelta(days=2))
        monitor.start()
        monitor.read()

        assert monitor.open(RECIPIENT) == {"not-stored": 1}
        assert monitor.overdue(RECIPIENT) == {"not-stored": 1}
        assert ("not in the register", RECIPIENT, "has open referrals") in monitor.needs()
        assert f'agency_heartbeat_timestamp_seconds{{agency="{RECIPIENT}"}}' not in monitor.samples()


def without(register: Register, code: str) -> Register:
    content = register.content
    return changed(
        register,
        agencies=tuple(agency for agency in content.agencies if agency.code != code),
        agreements=tuple(each for each in content.agreements if code not in (each.sender, each.recipient)),
    )


def test_a_newer_register_is_followed(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.own_register = without(bench.register, RECIPIENT)
        monitor.reading._looked = 0.0

        assert not monitor.reading.step(monitor.reader, 0)


def test_what_ended_is_forgotten_in_the_end_and_what_is_open_is_not(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        open_one, ended = (bench[SENDER].refer(RECIPIENT) for _ in range(2))
        bench.settle()
        bench[RECIPIENT].say("reject", ended, outcome_reason="no-capacity")
        bench.settle()
        monitor.read()
        counted = monitor.total("flow_events_total")

        later(bench, monitor, timedelta(days=91))
        monitor.read()

        assert [waiting.referral_id for waiting in monitor.overview().waiting] == [open_one]
        assert monitor.flows()[0].referrals == 1
        assert monitor.total("flow_events_total") == counted


def test_a_copy_of_what_was_forgotten_begins_no_flow(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        record = event_record(bench, a_referral(bench, SENDER, RECIPIENT))
        later(bench, monitor, timedelta(days=91))

        monitor.hear(record)

        assert monitor.flows() == []


def test_whoever_dates_his_events_back_is_counted_all_the_same(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.own_register = without_agreement(bench.register, SENDER, RECIPIENT)
        record = event_record(bench, a_referral(bench, SENDER, RECIPIENT, occurred_at=datetime(1970, 1, 1, tzinfo=UTC)))

        monitor.hear(record, record)

        assert monitor.total("unagreed_flow_events_total", source_agency=SENDER) == 1


def test_another_federations_database_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path / "monitor.sqlite", "test-federation", START).close()

    with pytest.raises(Refused, match="another federation"):
        open_store(tmp_path / "monitor.sqlite", "somebody-elses", START)


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path / "monitor.sqlite", "test-federation", START)
    with store.write() as tx:
        tx.execute(sa.update(tables.monitor).values(version=tables.VERSION + 1))
    store.close()

    with pytest.raises(Refused, match="another version"):
        open_store(tmp_path / "monitor.sqlite", "test-federation", START)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "monitor.sqlite"
    path.write_bytes(b"no database at all, and long enough to be looked at" * 50)

    with pytest.raises(Refused, match="no database of ours"):
        open_store(path, "test-federation", START)


def test_a_database_that_is_damaged_later_ends_the_monitor_with_one_clear_word(tmp_path: Path) -> None:
    path = tmp_path / "monitor.sqlite"
    open_store(path, "test-federation", START).close()
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (size - 100))

    with pytest.raises(LedgerUnusable, match="damaged"), Store(path).read() as tx:
        tx.execute(sa.select(tables.monitor))


def test_a_database_that_is_gone_is_told_as_an_outage_and_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be read or written"), Store(tmp_path / "gone.sqlite").read():
        pytest.fail("there is no database")

    assert list(tmp_path.iterdir()) == []


def test_a_defect_of_ours_is_never_told_as_an_outage(tmp_path: Path) -> None:
    store = open_store(tmp_path / "monitor.sqlite", "test-federation", START)

    with pytest.raises(OperationalError, match="no such table"), store.read() as tx:
        tx.exec_driver_sql("SELECT full FROM locked")

    store.close()


def test_no_other_user_can_read_a_new_database_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_store(tmp_path / "monitor.sqlite", "test-federation", START).close()
    finally:
        os.umask(before)

    assert (tmp_path / "monitor.sqlite").stat().st_mode & 0o077 == 0
