"""Flows that nobody agreed upon, and words of those who are not asked."""

from pathlib import Path

from schemas.events import ReferralKey
from tests.kit.forge import a_receipt, a_referral, a_word, event_record
from tests.kit.lookout import lookout
from tests.kit.registers import without_agreement

SENDER, RECIPIENT, THIRD = "family-women", "public-health", "barqaror-hayot"
UNAGREED = "unagreed_flow_events_total"


def test_a_referral_without_an_agreement_is_shown_and_not_open(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.own_register = without_agreement(bench.register, SENDER, RECIPIENT)
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(event_record(bench, referral), event_record(bench, referral))

        assert monitor.total(UNAGREED, source_agency=SENDER, target_agency=RECIPIENT, event_type="ReferralEvent") == 1
        assert monitor.total("flow_events_total") == 0
        assert (monitor.open(RECIPIENT), monitor.flows()) == ({}, [])
        assert monitor.needs() == [("no agreement", SENDER, f"{SENDER} to {RECIPIENT}, ReferralEvent")]


def test_its_later_words_are_no_agreed_flow_either(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.own_register = without_agreement(bench.register, SENDER, RECIPIENT)
        referral = a_referral(bench, SENDER, RECIPIENT)

        monitor.hear(event_record(bench, referral))
        monitor.hear(
            event_record(bench, a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), "accepted")),
            event_record(bench, a_word(bench, referral.referral, SENDER, RECIPIENT, (1, 2))),
        )

        assert monitor.total(UNAGREED, event_type="StatusEvent") == 2
        assert monitor.total("referral_acks_total") == 0


def test_a_referral_whose_agreement_we_heard_of_late_is_open_once_its_recipient_has_it(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.own_register = without_agreement(bench.register, SENDER, RECIPIENT)
        referral = a_referral(bench, SENDER, RECIPIENT)
        monitor.hear(event_record(bench, referral))

        monitor.own_register = None
        monitor.hear(a_receipt(bench, RECIPIENT, SENDER, bytes(32), event_id=referral.event_id))

        assert monitor.open(RECIPIENT) == {"not-handed-over": 1}


def test_a_word_about_a_referral_between_others_is_no_flow(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        intruding = a_word(bench, ReferralKey(SENDER, referral.referral_id), THIRD, RECIPIENT, (1, 1), "completed")

        monitor.hear(event_record(bench, referral), event_record(bench, intruding))

        assert monitor.total(UNAGREED, source_agency=THIRD, target_agency=RECIPIENT) == 1
        assert monitor.open(RECIPIENT) == {"not-stored": 1}


def test_whoever_answers_anothers_referral_moves_only_one_of_his_own_invention(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, THIRD) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        answer = event_record(bench, a_word(bench, referral.referral, THIRD, SENDER, (9, 9), "completed"))

        for order in ((answer, event_record(bench, referral)), (event_record(bench, referral), answer)):
            monitor.hear(*order)

        assert monitor.open(RECIPIENT) == {"not-stored": 1}
