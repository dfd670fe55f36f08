"""A copy of a genuine record elsewhere is no forgery, and its writer is not blamed for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import MAX_HEADERS
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_referral, a_word, an_announcement, event_record, signed
from tests.kit.lookout import a_notice, later, lookout
from tests.kit.registers import with_revoked_key

SENDER, RECIPIENT, THIRD = "family-women", "public-health", "barqaror-hayot"
FORGED, REPLAYED = "forged_events_total", "replayed_events_total"


def a_genuine_referral(bench: Bench) -> RawRecord:
    return event_record(bench, a_referral(bench, SENDER, RECIPIENT))


def in_another_inbox(bench: Bench) -> RawRecord:
    return replace(a_genuine_referral(bench), topic=bench.register.inbox(THIRD) or "")


def under_another_key(bench: Bench) -> RawRecord:
    return replace(a_genuine_referral(bench), key=b"another")


def among_the_announcements(bench: Bench) -> RawRecord:
    return replace(a_genuine_referral(bench), topic=bench.register.announcement(THIRD) or "")


def an_announcement_elsewhere(bench: Bench) -> RawRecord:
    announced = signed(bench, an_announcement(bench, SENDER, 9))
    return replace(announced, topic=bench.register.inbox(THIRD) or "")


def a_receipt_elsewhere(bench: Bench) -> RawRecord:
    return replace(a_receipt(bench, SENDER, RECIPIENT, bytes(32)), topic=bench.register.inbox(THIRD) or "")


def a_notice_elsewhere(bench: Bench) -> RawRecord:
    return replace(a_notice(bench, SENDER), topic=bench.register.inbox(THIRD) or "")


def with_headers_added(bench: Bench) -> RawRecord:
    """They are not signed."""
    record = a_genuine_referral(bench)
    return replace(record, headers=(*record.headers, *((f"h{number}", b"") for number in range(MAX_HEADERS))))


COPIES = (
    in_another_inbox,
    under_another_key,
    among_the_announcements,
    an_announcement_elsewhere,
    a_receipt_elsewhere,
    a_notice_elsewhere,
    with_headers_added,
)


@pytest.mark.parametrize("copied", COPIES, ids=lambda copied: copied.__name__)
def test_a_copy_out_of_its_place_is_told_from_a_forgery(copied: Callable[[Bench], RawRecord], tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        monitor.hear(copied(bench))

        assert (monitor.total(FORGED), monitor.total(REPLAYED, source_agency=SENDER)) == (0, 1)
        assert monitor.flows() == []


def test_it_says_who_can_have_written_it_and_names_the_topics_owner(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        monitor.hear(replace(a_genuine_referral(bench), topic=bench.register.notices), in_another_inbox(bench))

        assert monitor.need("forged records") == []
        needs = {need.agency: need.what for need in monitor.need("copied records")}
        parties = ", ".join(sorted({THIRD, *bench.register.parties(THIRD)}))
        assert needs == {
            THIRD: f"ReferralEvent of {SENDER} in the topics of {THIRD}; "
            f"can have written it: {parties}, the host of Kafka",
            None: f"ReferralEvent of {SENDER} in the common topics; "
            "can have written it: every agency, the host of Kafka",
        }


def test_a_value_that_was_changed_is_a_forgery_of_an_unknown_writer(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        another = a_genuine_referral(bench)

        monitor.hear(replace(in_another_inbox(bench), value=another.value))

        assert (monitor.total(FORGED, source_agency="unknown"), monitor.total(REPLAYED)) == (1, 0)


def test_what_an_agency_signs_for_a_place_that_is_not_its_own_is_its_own_doing(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(signed(bench, referral, topic=bench.register.inbox(THIRD)))

        assert monitor.total(FORGED, source_agency=SENDER) == 1
        assert [need.agency for need in monitor.need("forged records")] == [SENDER]


def test_an_agency_that_signs_anothers_copy_gains_no_innocence(tmp_path: Path) -> None:
    """The writer that a value names has to own the key: else anybody could have its forgeries called copies."""
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(replace(signed(bench, referral, signer=THIRD), key=b"another"))

        assert (monitor.total(FORGED, source_agency="unknown"), monitor.total(REPLAYED)) == (1, 0)


def test_after_a_revocation_old_genuine_records_are_copies_and_new_ones_are_not(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        old = event_record(bench, referral)
        later(bench, monitor, timedelta(hours=1))
        monitor.own_register = with_revoked_key(bench.register, SENDER, bench.clock())

        monitor.hear(
            old, event_record(bench, a_word(bench, referral.referral, SENDER, RECIPIENT, (1, 2), follows=(1, 1)))
        )

        assert (monitor.total(FORGED, source_agency=SENDER), monitor.total(REPLAYED, source_agency=SENDER)) == (1, 1)
