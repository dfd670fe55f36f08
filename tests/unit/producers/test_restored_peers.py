"""What a restored peer is owed is given in small steps: no single transaction grows with what we share."""

import hashlib
from itertools import pairwise
from uuid import UUID

import pytest
import sqlalchemy as sa

from referral_bus.ledger import restored_peers, tables, tombstones
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureReason, Side, Status
from schemas.outcomes import Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, an_announcement, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD


def _share(made: Bench, peer: str, count: int) -> None:
    now = made.clock()
    with made[SENDER].ledger.write() as tx:
        for number in range(count):
            key = ReferralKey(SENDER, UUID(int=number + 1))
            told = (key, Side.SENDER, peer, Status.COMPLETED, ErasureReason.WITHDRAWN, True, False, now, now)
            tombstones.insert(tx, Tombstone(*told))


def _erasures(made: Bench) -> list[tuple[str, int]]:
    out = tables.outbox.c
    query = sa.select(out.addressee, sa.func.count()).where(out.erasure).group_by(out.addressee)
    with made[SENDER].ledger.read() as tx:
        return [(addressee, count) for addressee, count in tx.connection.execute(query)]


def _hear_higher(made: Bench, incarnation: int) -> None:
    made[SENDER].take(signed(made, an_announcement(made, RECIPIENT, incarnation=incarnation, counter=1)))


def test_hearing_of_it_costs_one_row_however_often_and_however_much_is_shared(trio: Bench) -> None:
    _share(trio, RECIPIENT, 300)
    for incarnation in range(2, 42):
        _hear_higher(trio, incarnation)
    assert _erasures(trio) == []
    with trio[SENDER].ledger.read() as tx:
        assert tx.connection.execute(sa.select(sa.func.count()).select_from(tables.restored_peers)).scalar_one() == 1
        assert restored_peers.waiting(tx, trio.clock())


@pytest.mark.parametrize("shared", [0, 99, 100, 101, 250])
def test_it_hears_of_all_in_steps_and_nobody_else_does(trio: Bench, shared: int) -> None:
    _share(trio, RECIPIENT, shared)
    _hear_higher(trio, 2)
    told = [0]
    while _waiting(trio):
        with trio[SENDER].ledger.write() as tx:
            restored_peers.step(tx, trio[SENDER].writing())
        told.append(dict(_erasures(trio)).get(RECIPIENT, 0))
    assert told[-1] == shared
    assert max(after - before for before, after in pairwise(told)) <= restored_peers.TOMBSTONES
    assert set(dict(_erasures(trio))) <= {RECIPIENT}


def test_what_it_was_told_already_it_hears_again_when_its_answers_have_fallen(trio: Bench) -> None:
    """While the rest of what it is owed goes on as it was."""
    trio[SENDER].refer(RECIPIENT)
    _share(trio, RECIPIENT, restored_peers.TOMBSTONES + 1)
    _hear_higher(trio, 2)
    row = sa.select(tables.restored_peers.c.reopen_to, tables.restored_peers.c.told_sender)
    with trio[SENDER].ledger.write() as tx:
        for _ in ("what it had", "some of the erasures"):
            restored_peers.step(tx, trio[SENDER].writing())
        before = tx.connection.execute(row).one()
        restored_peers.tell_again(tx, RECIPIENT, trio.clock())
        after = tx.connection.execute(row).one()
    assert (before.told_sender, after.told_sender) == (SENDER, "")
    assert after.reopen_to == before.reopen_to > 0


def test_what_another_agency_shares_is_told_to_nobody(trio: Bench) -> None:
    _share(trio, THIRD, 5)
    _hear_higher(trio, 2)
    trio.settle(20)
    assert _erasures(trio) == []
    assert not _waiting(trio)


def test_rows_are_reopened_in_steps_and_only_those_that_were_there(
    pair: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored_peers, "ROWS", 2)
    referrals = [pair[SENDER].refer(RECIPIENT) for _ in range(5)]
    pair.settle()
    _hear_higher(pair, 2)
    later = pair[SENDER].refer(RECIPIENT)
    states = []
    while _waiting(pair):
        with pair[SENDER].ledger.write() as tx:
            restored_peers.step(tx, pair[SENDER].writing())
        states.append(sum(pair[SENDER].history(each)[0].state == "sent" for each in referrals))
    assert states == [2, 4, 5, 5]
    assert pair[SENDER].history(later)[0].state == "new"


def test_what_is_erased_here_is_not_opened_again_for_it(pair: Bench) -> None:
    """Its bytes and its key are gone: it would wait for a key for ever."""
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[SENDER].withdraw(referral)
    pair.settle()
    before = [step.state for step in pair[SENDER].history(referral) if step.record == "ReferralEvent"]
    _hear_higher(pair, 2)
    pair.settle(20)
    after = [step.state for step in pair[SENDER].history(referral) if step.record == "ReferralEvent"]
    assert before == after == ["stored"]


def test_the_numbers_that_a_restore_leaps_over_cost_no_steps(pair: Bench) -> None:
    pair[SENDER].refer(RECIPIENT)
    pair[SENDER].restore(pair[SENDER].back_up())
    pair[SENDER].refer(RECIPIENT)
    _hear_higher(pair, 2)
    steps = 0
    while _waiting(pair):
        with pair[SENDER].ledger.write() as tx:
            restored_peers.step(tx, pair[SENDER].writing())
        steps += 1
    assert steps == 2


def test_work_that_was_broken_off_goes_on_after_a_start(pair: Bench) -> None:
    _share(pair, RECIPIENT, 150)
    _hear_higher(pair, 2)
    pair[SENDER].send()
    pair[SENDER].reopen()
    pair.settle(30)
    assert dict(_erasures(pair)) == {RECIPIENT: 150}


def test_the_receipt_of_a_restored_recipient_counts_before_and_after(pair: Bench) -> None:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, _digest(pair), Outcome.STORED, incarnation=2))
    pair.settle()
    assert pair[SENDER].history(referral)[0].state == "stored"


def _digest(pair: Bench) -> bytes:
    with pair[SENDER].ledger.read() as tx:
        value: bytes = tx.connection.execute(sa.select(tables.outbox.c.value)).scalars().first() or b""
    return hashlib.sha256(value).digest()


def _waiting(made: Bench) -> bool:
    with made[SENDER].ledger.read() as tx:
        return restored_peers.waiting(tx, made.clock())
