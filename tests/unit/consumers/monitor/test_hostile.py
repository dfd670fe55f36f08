"""What comes from those who would like the monitor to show something that is not so."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consumers.monitor import announcements, tables
from consumers.monitor.progress import read_positions
from referral_bus.broker.memory import MemoryBroker
from referral_bus.federation.trust import parse_signatures
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import write
from schemas.events import RegisterVersion
from tests.kit.forge import a_receipt, a_referral, a_word, an_announcement, event_record, signed, signed_bytes
from tests.kit.lookout import Lookout, a_notice, later, lookout, read_on
from tests.kit.registers import with_revoked_key
from tests.kit.waiting import wait_until

SENDER, RECIPIENT, THIRD = "family-women", "public-health", "barqaror-hayot"
FORGED = "forged_events_total"
UNAGREED = "unagreed_flow_events_total"


def forged(monitor: Lookout) -> dict[str, float]:
    return {name: value for name, value in monitor.samples().items() if name.startswith(FORGED)}


def test_a_forged_record_is_counted_and_shown_and_enters_no_flow(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        honest = event_record(bench, a_referral(bench, SENDER, RECIPIENT))
        by_a_stranger = write(
            a_referral(bench, SENDER, RECIPIENT), honest.topic, bench.register.federation, Ed25519PrivateKey.generate()
        )

        monitor.hear(replace(honest, value=honest.value + b"\x00"), by_a_stranger, replace(honest, headers=()))

        assert forged(monitor) == {
            f'{FORGED}{{event_type="unknown",source_agency="unknown",target_agency="{RECIPIENT}"}}': 3,
        }
        assert (monitor.flows(), monitor.total("flow_events_total")) == ([], 0)
        (need,) = monitor.need("forged records")
        assert (need.agency, need.what) == (
            RECIPIENT,
            f"in the topics of {RECIPIENT}, without a valid signature; "
            f"can have written it: {SENDER}, {RECIPIENT}, the host of Kafka",
        )


def test_a_stewards_key_is_no_agency(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        steward = next(iter(bench.generated.steward_keys.values()))

        monitor.hear(write(referral, bench.register.inbox(RECIPIENT) or "", bench.register.federation, steward))

        assert monitor.total(FORGED, source_agency="unknown", target_agency=RECIPIENT) == 1


def test_a_revoked_key_counts_for_nothing(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.own_register = with_revoked_key(bench.register, SENDER, bench.clock())

        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))

        assert monitor.total(FORGED, source_agency=SENDER, target_agency=RECIPIENT) == 1
        assert monitor.flows() == []


def test_what_stands_where_it_does_not_belong_is_forged(tmp_path: Path) -> None:
    """Well signed, yet in another's inbox, in another's announcements, or among the notices."""
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        register = bench.register
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(
            signed(bench, referral, topic=register.inbox(THIRD)),
            signed(bench, referral, topic=register.announcement(SENDER)),
            signed(bench, referral, topic=register.notices),
            signed(bench, an_announcement(bench, SENDER, 9), topic=register.announcement(THIRD)),
            signed(bench, an_announcement(bench, SENDER, 9), topic=register.inbox(THIRD)),
        )

        assert monitor.total(FORGED, source_agency=SENDER) == 5
        assert monitor.total(FORGED, target_agency="unknown") == 1
        assert monitor.flows() == []


def test_an_agency_cannot_speak_in_anothers_name(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        referral, announced = a_referral(bench, SENDER, RECIPIENT), an_announcement(bench, SENDER, 9)

        monitor.hear(signed(bench, referral, signer=THIRD), signed(bench, announced, signer=THIRD))

        assert monitor.total(FORGED, source_agency=THIRD) == 2
        assert monitor.flows() == []


def test_only_the_addressees_receipt_counts(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        early, late = (a_referral(bench, SENDER, RECIPIENT) for _ in range(2))

        def claim(event_id: object) -> RawRecord:
            return a_receipt(bench, THIRD, SENDER, bytes(32), event_id=event_id)

        monitor.hear(claim(early.event_id), event_record(bench, early), event_record(bench, late), claim(late.event_id))

        assert monitor.open(RECIPIENT) == {"not-stored": 2}


def test_an_announcement_that_the_host_replays_is_no_heartbeat(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        old = signed(bench, an_announcement(bench, SENDER, 5))
        monitor.hear(old)
        heard_at = monitor.total("agency_heartbeat_timestamp_seconds", agency=SENDER)
        later(bench, monitor, timedelta(hours=1))

        monitor.hear(old, signed(bench, an_announcement(bench, SENDER, 4)))
        read_on(bench, monitor, timedelta(0))

        assert monitor.total("agency_heartbeat_timestamp_seconds", agency=SENDER) == heard_at
        assert ("silent", SENDER, "always") in monitor.needs()


def test_codes_that_are_on_no_list_become_other(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        strange = "x" * 40
        referral = a_referral(bench, SENDER, RECIPIENT, priority=strange)

        monitor.hear(
            event_record(bench, referral),
            event_record(bench, a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), strange)),
            a_notice(bench, RECIPIENT, code=strange),
        )

        assert strange not in " ".join(monitor.samples())
        assert monitor.total("referral_acks_total", target_agency=RECIPIENT, priority="other") == 1
        assert monitor.total("dead_letters_waiting", agency=RECIPIENT, reason="other") == 1


def test_what_does_not_decode_is_counted_without_a_word_of_it(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        newer = b"\xc3\x01" + b"\x07" * 8 + encode(referral)[10:]

        monitor.hear(signed_bytes(bench, newer, referral), signed_bytes(bench, b"rubbish", referral))

        assert monitor.total("schema_events_total", source_agency=SENDER, schema="other", version="other") == 2
        assert monitor.flows() == []


def test_keys_and_headers_of_any_size_are_forged_and_not_kept(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        topic = bench.register.inbox(RECIPIENT) or ""
        huge = [
            RawRecord(topic, b"k" * 60_000, b"", ()),
            RawRecord(topic, b"", b"\xff" * 70_000, ()),
            RawRecord(topic, b"", b"", (("rb_keyid", b"\xff" * 32), ("rb_signature", b"\x00"))),
            RawRecord(topic, b"", b"", tuple((f"h{i}", b"") for i in range(1000))),
            RawRecord(topic, b"", b"", ()),
        ]

        monitor.hear(*huge)

        assert monitor.total(FORGED, source_agency="unknown", target_agency=RECIPIENT) == len(huge)
        assert sum(file.stat().st_size for file in tmp_path.glob("monitor.sqlite*")) < 4_000_000


def test_an_unreadable_batch_does_not_stop_the_reading(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        bench.broker.append_unreadable(bench.register.inbox(RECIPIENT) or "", 0)
        record = event_record(bench, a_referral(bench, SENDER, RECIPIENT))
        sender = bench.broker.sender()
        sender.send(record)

        run_until(monitor, lambda: monitor.open(RECIPIENT) == {"not-stored": 1})


def test_unreadable_batches_are_passed_over_by_one_reader_and_not_read_again(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        inbox = bench.register.inbox(RECIPIENT) or ""
        for _ in range(50):
            bench.broker.append_unreadable(inbox, 0)
        sender = bench.broker.sender()
        sender.send(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))

        monitor.reading.step(monitor.reader, 0)
        assert monitor.open(RECIPIENT) == {"not-stored": 1}
        assert reached(monitor, inbox) == 51

        for _ in range(50):
            bench.broker.append_unreadable(inbox, 0)
        monitor.reading.step(monitor.reader, 0)
        assert reached(monitor, inbox) == 101

        monitor.start()
        monitor.reading.step(monitor.reader, 0)
        assert monitor.log_lines.text.count("UNREADABLE_BATCH") == 1, "told seldom, and not read again"


@pytest.mark.parametrize("tail", [MemoryBroker.append_marker, MemoryBroker.append_unreadable])
def test_a_topic_whose_end_is_never_handed_out_is_read_to_its_end(
    tmp_path: Path, tail: Callable[[MemoryBroker, str, int], None]
) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.read()
        for topic in (bench.register.register_topic, bench.register.inbox(RECIPIENT) or ""):
            tail(bench.broker, topic, 0)
        monitor.clock.move(timedelta(hours=1))
        monitor.watching.look()
        assert monitor.overview().complete_at != monitor.clock()

        monitor.reading.step(monitor.reader, 0)
        monitor.watching.look()

        assert monitor.overview().complete_at == monitor.clock()


def test_of_one_agencys_notices_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "MOST_NOTICES", 5)
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(a_notice(bench, RECIPIENT))
        for _ in range(4):
            monitor.clock.move(timedelta(minutes=1))
            monitor.hear(*(a_notice(bench, SENDER) for _ in range(3)))

        with monitor.store.read() as tx:
            kept = tx.execute(sa.select(tables.notices.c.agency)).scalars().all()
        assert sorted(kept) == sorted([SENDER] * 5 + [RECIPIENT])


def reached(monitor: Lookout, topic: str) -> int:
    with monitor.store.read() as tx:
        return read_positions(tx)[topic, 0].position.offset


def run_until(monitor: Lookout, holds: Callable[[], bool]) -> None:
    """The loop itself, in its thread."""
    stop = threading.Event()
    monitor.reader.close()
    thread = threading.Thread(target=monitor.reading.run, args=(stop, lambda: None))
    thread.start()
    try:
        wait_until(holds)
    finally:
        stop.set()
        thread.join()


def test_a_register_that_makes_us_fail_counts_nothing_twice(tmp_path: Path) -> None:
    """What follows from it comes after the transaction, and is nothing to it."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        register = bench.register
        files = bench.generated.files
        signatures = parse_signatures(files.signatures)
        version = RegisterVersion(
            version=1, issued_at=bench.clock(), register_file=files.register, signatures=signatures
        )
        steward = next(iter(bench.generated.steward_keys.values()))
        record = write(version, register.register_topic, register.federation, steward)
        forged_one = replace(record, value=record.value + b"x")

        def fails(_: RegisterVersion) -> None:
            raise OSError("the disk")

        monitor.reading._on_register = fails
        bench.broker.sender().send(forged_one)
        bench.broker.sender().send(record)
        with pytest.raises(OSError, match="the disk"):
            monitor.read()
        monitor.start()
        monitor.read()

        assert sum(forged(monitor).values()) == 1
