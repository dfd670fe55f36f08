"""F19: a ledger is lost, and its backups were edited by a hand without the home's keys: none of them is opened, and
with the genuine one the agency goes on."""

import shutil
from pathlib import Path

import pytest

from deploy.app.agency_client import open_client
from deploy.app.backups import back_up, go_on_after_restore
from referral_bus.errors import Reason, Refused
from tests.faults.books import written_by
from tests.faults.checker import Result
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, Field, field_of
from tests.faults.load import TO_AND_FRO, UNANSWERED, Flow, referrals_for
from tests.kit.edited_backups import EDITS
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka


def test_f19_no_edited_backup_is_opened_and_the_genuine_one_still_restores(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report
) -> None:
    times, events = dose(full=3, small=1), dose(full=200, small=50)
    flows = [Flow(FIRST, MIDDLE), Flow(MIDDLE, FIRST)]
    with field_of(tmp_path, kafka_bootstrap, flows, [TO_AND_FRO]) as field:
        field.start_and_wait(*field.clients)
        for number in range(times):
            for victim in (FIRST, MIDDLE):
                result = restore(field, victim, tmp_path / f"{victim}-{number}", events)
                assert result.kept, (victim, number, result)
        result = field.settle()
    report("F19", f"{times} x both sides, {len(EDITS)} edited backups each", result)


def restore(field: Field, victim: str, folder: Path, events: int) -> Result:
    """After the backup only the other side speaks, since what the victim says then is lost with its ledger."""
    folder.mkdir()
    field.load.want(referrals_for(events))
    field.settle()
    back_up(field.clients[victim], folder / "genuine")
    other = FIRST if victim == MIDDLE else MIDDLE
    field.load.ask_for(Flow(other, victim), UNANSWERED, events // 10)
    wait_until(lambda: field.load.idle() and field.waiting == 0, 120)
    field.kill(victim)
    with field.load.at_rest():
        wrote = written_by(field.clients[victim])
        field.clients[victim].close()
        client = open_client(field.agency(victim).home)
        for edit in EDITS:
            edited = folder / edit.__name__
            shutil.copy(folder / "genuine", edited)
            edit(edited)
            with pytest.raises(Refused) as refused:
                go_on_after_restore(client, edited)
            assert (refused.value.reason, refused.value.path) == (Reason.HOME_INVALID, "FILE")
        go_on_after_restore(client, folder / "genuine")
        client.close()
        field.begin_again(victim, wrote)
    field.start_and_wait(victim)
    return field.settle()
