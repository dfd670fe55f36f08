"""F20: an agency's clock runs months ahead, and one other agency says that this is the time."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from consumers.agency.announcer import next_announcement
from deploy.app.agency_client import AgencyClient, open_client
from referral_bus.broker.kafka import KafkaBroker
from referral_bus.clock import system_clock
from referral_bus.ledger import tables
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.queries import statuses
from referral_bus.wire.record import write
from tests.faults.clocked_service import PROGRAM, set_wrong, wrong_clock
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import LAST, MIDDLE, Field, field_of
from tests.faults.load import referrals_for
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

AHEAD = timedelta(days=100)
ROUNDS = 3
"""Of announcing, with each of which keys that are over are destroyed."""


def test_f20_a_clock_that_is_ahead_and_one_liar_destroy_nothing(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report
) -> None:
    times, events = dose(full=10, small=1), dose(full=300, small=50)
    home = tmp_path / MIDDLE
    set_wrong(home, 0)
    with field_of(tmp_path, kafka_bootstrap, clocks={MIDDLE: wrong_clock(home)}) as field:
        field.programs[MIDDLE] = PROGRAM
        field.start_and_wait(*field.clients)
        for _ in range(times):
            field.load.want(referrals_for(events))
            assert field.settle().kept
            before = _kept(field)
            set_wrong(home, AHEAD.total_seconds())
            _lie(field)
            said = _announced(field.clients[MIDDLE])
            wait_until(lambda said=said: _announced(field.clients[MIDDLE]) >= said + ROUNDS)  # type: ignore[misc]
            assert before <= _kept(field)
            set_wrong(home, 0)
        result = field.settle()
    report("F20", f"{times} x {AHEAD.days} days ahead", result)


def _kept(field: Field) -> set[str]:
    """Its sealing keys and its referrals."""
    keys = {path.name for path in (field.agency(MIDDLE).home / "keys").glob("sealing-*.key")}
    with field.clients[MIDDLE].ledger.read() as tx:
        return keys | {str(key.referral_id) for key in statuses(tx)}


def _announced(client: AgencyClient) -> int:
    with client.ledger.read() as tx:
        return int(tx.connection.execute(sa.select(tables.agency.c.announcement_counter)).scalar_one())


def _lie(field: Field) -> None:
    """Returns once it was heard."""
    now = system_clock() + AHEAD
    liar = open_client(field.agency(LAST).home, lambda: now)
    record = next_announcement(liar.ledger, liar.register, liar.keyring.announced(now), now, "0.0.0")
    raw = write(record, liar.register.announcement(LAST) or "", liar.register.federation, liar.keyring.signing)
    with closing(KafkaBroker(field.services.kafka, "liar")) as broker, closing(broker.sender()) as sender:
        sending = sender.send(raw)
        assert sending is not None
        wait_until(sending.done)
    liar.close()

    def heard() -> bool:
        with field.clients[MIDDLE].ledger.read() as tx:
            peer = all_peers(tx).get(LAST)
        return peer is not None and peer.announcement == record

    wait_until(heard)
