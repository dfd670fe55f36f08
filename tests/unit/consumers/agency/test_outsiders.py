"""An agency that is no party of a referral gets the same answers whether it is open, erased, or never was."""

from uuid import uuid4

import pytest

from schemas.events import ReceiptItem, ReferralKey
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, an_erasure, event_record, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD


def _referrals(trio: Bench) -> list[ReferralKey]:
    """An open one, an erased one, and one that never was."""
    ids = [trio[SENDER].refer(RECIPIENT) for _ in range(2)]
    trio.settle()
    trio[SENDER].withdraw(ids[1])
    trio.settle()
    assert trio[RECIPIENT].tombstone(ids[1]) is not None
    return [ReferralKey(SENDER, each) for each in (*ids, uuid4())]


def _said(item: ReceiptItem) -> tuple[object, ...]:
    return item.outcome, item.code, item.path, item.held


@pytest.mark.parametrize("here", [SENDER, RECIPIENT])
def test_one_answer_to_whatever_it_asks(trio: Bench, here: str) -> None:
    answers = []
    for key in _referrals(trio):
        begin = a_referral(trio, THIRD, here, referral_id=key.referral_id, referral_sender=key.sender)
        records = [
            event_record(trio, a_word(trio, key, THIRD, here, (1, 1), "accepted")),
            event_record(trio, a_word(trio, key, THIRD, here, (1, 2))),
            event_record(trio, a_word(trio, key, THIRD, here, (1, 4), "accepted")),
            event_record(trio, begin),
            signed(trio, an_erasure(trio, key, THIRD, here, (1, 5), status="cancelled")),
            signed(trio, an_erasure(trio, key, THIRD, here, (1, 6), kind="confirmed", status="cancelled")),
        ]
        verdicts = [trio[here].take(record) for record in records]
        items = sorted(map(_said, trio[here].owed(THIRD)[-len(records) :]), key=repr)
        again = [trio[here].take(record) for record in records]
        answers.append((verdicts, items, again))
    assert answers[0] == answers[1] == answers[2]
