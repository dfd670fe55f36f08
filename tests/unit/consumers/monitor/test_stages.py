"""How far open referrals have come, and which of them are overdue."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_referral, a_word, an_announcement, event_record, signed
from tests.kit.lookout import Lookout, later, lookout

SENDER, RECIPIENT = "family-women", "public-health"


def bring_to(stage: str, bench: Bench, monitor: Lookout) -> None:
    """An urgent referral: a word is due in a day, an answer in three."""
    referral = a_referral(bench, SENDER, RECIPIENT)
    monitor.hear(event_record(bench, referral))
    if stage == "not-stored":
        return
    monitor.hear(a_receipt(bench, RECIPIENT, SENDER, bytes(32), event_id=referral.event_id))
    if stage == "not-handed-over":
        return
    bench.clock.move(timedelta(seconds=1))
    announced = an_announcement(bench, RECIPIENT, 2, handed_over_before=bench.clock())
    monitor.hear(signed(bench, announced))
    for number, (later_stage, status) in enumerate((("not-answered", "received"), ("in-service", "accepted")), 1):
        if stage == "not-seen":
            return
        monitor.hear(event_record(bench, a_word(bench, referral.referral, RECIPIENT, SENDER, (1, number), status)))
        if stage == later_stage:
            return


@pytest.mark.parametrize(
    ("stage", "due"),
    [
        ("not-stored", timedelta(days=1)),
        ("not-handed-over", timedelta(days=1)),
        ("not-seen", timedelta(days=1)),
        ("not-answered", timedelta(days=3)),
        ("in-service", timedelta(days=30)),
    ],
)
def test_a_referral_is_in_one_stage_and_overdue_by_that_stages_deadline(
    stage: str, due: timedelta, tmp_path: Path
) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        bring_to(stage, bench, monitor)
        assert monitor.open(RECIPIENT) == {stage: 1}

        later(bench, monitor, due)
        assert monitor.overdue(RECIPIENT) == {}

        later(bench, monitor, timedelta(seconds=1))
        assert monitor.overdue(RECIPIENT) == {stage: 1}
        assert [need.what for need in monitor.need("overdue")] == [stage]


def test_handed_over_only_what_was_stored_before(tmp_path: Path) -> None:
    """An event stored in the very moment that is announced may not have been handed over."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        bring_to("not-handed-over", bench, monitor)

        monitor.hear(signed(bench, an_announcement(bench, RECIPIENT, 2, handed_over_before=bench.clock())))

        assert monitor.open(RECIPIENT) == {"not-handed-over": 1}


def test_a_recipients_word_is_proof_of_storage_without_any_receipt(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(
            event_record(bench, referral),
            event_record(bench, a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), "received")),
        )

        assert monitor.open(RECIPIENT) == {"not-answered": 1}
        assert monitor.flows()[0].stored == 1


def test_a_receipt_that_comes_before_its_referral_counts(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(a_receipt(bench, RECIPIENT, SENDER, bytes(32), event_id=referral.event_id))
        monitor.hear(event_record(bench, referral))

        assert monitor.open(RECIPIENT) == {"not-handed-over": 1}


def test_a_refused_referral_waits_for_nobody_but_is_shown(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        refusal = a_receipt(
            bench, RECIPIENT, SENDER, bytes(32), "REFUSED", event_id=referral.event_id, code="CONSENT_INVALID"
        )

        monitor.hear(event_record(bench, referral), refusal)

        assert monitor.open(RECIPIENT) == {}
        assert monitor.flows()[0].refused == 1


def test_the_whole_way_with_real_services(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT)
        seen = []
        for verb in (None, "see", "accept", "start"):
            if verb is not None:
                bench[RECIPIENT].say(verb, referral)
            bench.settle()
            monitor.read()
            seen.append(monitor.open(RECIPIENT))

        assert seen == [{"not-handed-over": 1}, {"not-answered": 1}, {"in-service": 1}, {"in-service": 1}]
