"""Whom an erasure waits for is said twice, in Python for one and in SQL for all: both say the same."""

from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables, tombstones
from referral_bus.ledger.store import Ledger
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureReason, Side, Status
from tests.kit.people import RECIPIENT, SENDER

NOW = datetime(2026, 11, 23, tzinfo=UTC)
REASONS = (ErasureReason.WITHDRAWN, ErasureReason.RETENTION)


def _every_tombstone() -> list[Tombstone]:
    both, times = (False, True), (None, NOW)
    cases = enumerate(product(REASONS, both, both, times, times, times), start=1)
    return [
        Tombstone(
            key=ReferralKey(SENDER, UUID(int=number)),
            side=Side.SENDER,
            peer=RECIPIENT,
            status=Status.CANCELLED,
            reason=reason,
            asked_by_us=by_us,
            asked_by_peer=by_peer,
            created_at=NOW,
            asked_at=NOW,
            confirmed_at=confirmed,
            peer_confirmed_at=peer_confirmed,
            peer_refused_at=peer_refused,
        )
        for number, (reason, by_us, by_peer, confirmed, peer_confirmed, peer_refused) in cases
    ]


def test_both_ways_of_asking_agree_on_every_tombstone_that_there_can_be(ledger: Ledger) -> None:
    every = _every_tombstone()
    with ledger.write() as tx:
        for left in every:
            tombstones.insert(tx, left)
    with ledger.read() as tx:
        open_ones = {left.key for left in tombstones.list_unconfirmed(tx, len(every), ())}
        ours = tx.connection.execute(sa.select(tables.tombstones.c.referral_id).where(tombstones.wait_for_us()))
        for_us = {ReferralKey(SENDER, each) for each in ours.scalars()}
    assert open_ones == {
        each.key for each in every if each.needs_confirmation and (each.waits_for_peer or each.waits_for_us)
    }
    assert for_us == {each.key for each in every if each.needs_confirmation and each.waits_for_us}
    assert 0 < len(for_us) < len(open_ones) < len(every) == 64
