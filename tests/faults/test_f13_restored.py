"""F13: a ledger is lost and an older backup put back, the sender's and the recipient's, with erasures in between."""

import random
from pathlib import Path
from uuid import UUID

import pytest

from deploy.app.agency_client import open_client
from deploy.app.backups import back_up, go_on_after_restore
from referral_bus.ledger.queries import statuses
from schemas.lifecycle import ErasureReason
from tests.faults.books import written_by
from tests.faults.checker import Result
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, Field, field_of
from tests.faults.load import TO_AND_FRO, UNANSWERED, Flow, referrals_for
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

WITHDRAWN = 5
"""Of each side's referrals between a backup and its restore."""


def test_f13_a_restored_ledger_gets_everything_again_and_nothing_that_was_erased(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    times, events = dose(full=5, small=1), dose(full=400, small=100)
    flows = [Flow(FIRST, MIDDLE), Flow(MIDDLE, FIRST)]
    with field_of(tmp_path, kafka_bootstrap, flows, [TO_AND_FRO]) as field:
        field.start_and_wait(*field.clients)
        for number in range(times):
            for victim in (FIRST, MIDDLE):
                result = restore(field, victim, tmp_path / f"{victim}-{number}.backup", events, chance)
                assert result.kept, (victim, number, result)
        result = field.settle()
    report("F13", f"{times} x both sides, {WITHDRAWN} erased by each in between", result)


def restore(field: Field, victim: str, backup: Path, events: int, chance: random.Random) -> Result:
    """What the victim's own people say between the backup and its restore would be lost with the ledger, so that only
    the other side speaks then; both withdraw."""
    field.load.want(referrals_for(events))
    field.settle()
    back_up(field.clients[victim], backup)
    other = FIRST if victim == MIDDLE else MIDDLE
    field.load.ask_for(Flow(other, victim), UNANSWERED, events // 10)
    for code in (victim, other):
        for referral in chance.sample(known(field, code), WITHDRAWN):
            field.clients[code].withdraw(str(referral), ErasureReason.WITHDRAWN)
    wait_until(lambda: field.load.idle() and field.waiting == 0, 120)
    field.kill(victim)
    with field.load.at_rest():
        wrote = written_by(field.clients[victim])
        field.clients[victim].close()
        client = open_client(field.agency(victim).home)
        go_on_after_restore(client, backup)
        client.close()
        field.begin_again(victim, wrote)
    field.start_and_wait(victim)
    return field.settle()


def known(field: Field, code: str) -> list[UUID]:
    """Referrals that are not erased."""
    with field.clients[code].ledger.read() as tx:
        return sorted(key.referral_id for key in statuses(tx))
