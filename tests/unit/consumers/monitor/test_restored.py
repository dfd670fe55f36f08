"""After a restore the monitor, the sender and the recipient name the same stage, and the same deadline."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from referral_bus.ledger.peers import all_peers
from referral_bus.stage_queries import stage_of
from referral_bus.stages import Stage, Standing
from schemas.deadlines import DEFAULT_LIMITS
from tests.kit.bench import Bench, Station
from tests.kit.lookout import Lookout, later, lookout
from tests.kit.registers import without_agreement

SENDER, RECIPIENT = "family-women", "public-health"
MINUTE = timedelta(minutes=1)


def standing(station: Station, referral: UUID) -> Standing:
    with station.ledger.read() as tx:
        return stage_of(tx, station.referral(referral), all_peers(tx), DEFAULT_LIMITS, (SENDER, RECIPIENT))


def brought_up_to_date(bench: Bench, monitor: Lookout) -> None:
    """Everything is delivered and handed over, and everybody has said so."""
    bench.settle()
    for station in bench.stations.values():
        station.pull()
    later(bench, monitor, MINUTE)
    bench.announce()
    monitor.read()


def nothing(_: Station, __: UUID) -> None:
    pass


def has_noted(recipient: Station, referral: UUID) -> None:
    recipient.say("note", referral, business_status="waitlisted")


def has_accepted(recipient: Station, referral: UUID) -> None:
    recipient.say("accept", referral)


def has_started(recipient: Station, referral: UUID) -> None:
    recipient.say("accept", referral)
    recipient.say("start", referral)


def has_completed(recipient: Station, referral: UUID) -> None:
    recipient.say("complete", referral, outcome="provided")


Before = Callable[[Station, UUID], None]
CASES: list[tuple[Before, Before, Stage]] = [
    (nothing, has_accepted, Stage.NOT_SEEN),
    (nothing, has_noted, Stage.NOT_SEEN),
    (has_noted, has_accepted, Stage.NOT_SEEN),
    (has_accepted, has_completed, Stage.IN_SERVICE),
    (has_started, nothing, Stage.IN_SERVICE),
]


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize(("before", "lost", "stage"), CASES)
def test_what_a_restore_has_lost_counts_for_nobody(
    before: Before, lost: Before, stage: Stage, rebuilt: bool, tmp_path: Path
) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT)
        bench.settle()
        before(bench[RECIPIENT], referral)
        brought_up_to_date(bench, monitor)
        backup = bench[RECIPIENT].back_up()
        lost(bench[RECIPIENT], referral)
        brought_up_to_date(bench, monitor)

        bench[RECIPIENT].restore(backup)
        brought_up_to_date(bench, monitor)
        if rebuilt:
            monitor.lose_database()
            monitor.read()

        here, there = standing(bench[SENDER], referral), standing(bench[RECIPIENT], referral)
        assert (here.stage, there.stage, monitor.open(RECIPIENT)) == (stage, stage, {stage: 1})
        assert here.due == there.due == monitor.overview().waiting[0].due


def test_a_deadline_that_a_lost_word_had_met_is_overdue_at_all_three(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT)
        brought_up_to_date(bench, monitor)
        backup = bench[RECIPIENT].back_up()
        has_accepted(bench[RECIPIENT], referral)
        brought_up_to_date(bench, monitor)
        bench[RECIPIENT].restore(backup)
        later(bench, monitor, timedelta(days=4))
        brought_up_to_date(bench, monitor)

        now = bench.clock()
        assert standing(bench[SENDER], referral).overdue(now)
        assert standing(bench[RECIPIENT], referral).overdue(now)
        assert monitor.overdue(RECIPIENT) == {Stage.NOT_SEEN: 1}
        assert monitor.total("overdue_unseen") == 0


def test_a_restored_sender_takes_old_words_for_old(tmp_path: Path) -> None:
    """They come a second time; the thirty days without a word do not begin anew."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT)
        brought_up_to_date(bench, monitor)
        backup = bench[SENDER].back_up()
        has_accepted(bench[RECIPIENT], referral)
        brought_up_to_date(bench, monitor)
        later(bench, monitor, timedelta(days=20))
        bench[SENDER].restore(backup)
        brought_up_to_date(bench, monitor)

        here, there = standing(bench[SENDER], referral), standing(bench[RECIPIENT], referral)
        assert (here.stage, here.due) == (Stage.IN_SERVICE, there.due)
        assert monitor.overview().waiting[0].due == here.due


def test_a_recipient_that_knows_it_no_more_and_refuses_it_leaves_it_undelivered(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        backup = bench[RECIPIENT].back_up()
        referral = bench[SENDER].refer(RECIPIENT)
        bench.settle()
        has_accepted(bench[RECIPIENT], referral)
        brought_up_to_date(bench, monitor)
        bench.own_registers[RECIPIENT] = without_agreement(bench.register, SENDER, RECIPIENT)
        bench[RECIPIENT].restore(backup)
        brought_up_to_date(bench, monitor)

        assert standing(bench[SENDER], referral).stage is Stage.UNDELIVERED
        assert monitor.open(RECIPIENT) == {}
        assert monitor.flows()[0].refused == 1
