"""Two contents of one referral that were exchanged in the ledger's file are noticed before they are read or sent."""

import pytest

from referral_bus.errors import LedgerUnusable, Reason
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER

_EXCHANGE = (
    "UPDATE {table} SET {column} = (SELECT other.{column} FROM {table} AS other WHERE other.number = "
    "CASE {table}.number WHEN (SELECT min(number) FROM {table}) THEN (SELECT max(number) FROM {table}) "
    "ELSE (SELECT min(number) FROM {table}) END)"
)


def _exchange(pair: Bench, table: str, column: str) -> None:
    with pair[SENDER].ledger.write() as tx:
        tx.connection.exec_driver_sql(_EXCHANGE.format(table=table, column=column))


def test_exchanged_bodies_of_one_referral_do_not_open(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].say("cancel", referral_id, text="Synthetic reason.")
    assert len(pair[SENDER].history(referral_id)) == 2
    _exchange(pair, "events", "body")
    with pytest.raises(LedgerUnusable) as caught:
        pair[SENDER].history(referral_id)
    assert caught.value.reason is Reason.LEDGER_DAMAGED


def test_exchanged_events_do_not_leave(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].say("cancel", referral_id, text="Synthetic reason.")
    _exchange(pair, "outbox", "unsealed")
    with pytest.raises(LedgerUnusable) as caught:
        pair[SENDER].send()
    assert caught.value.reason is Reason.LEDGER_DAMAGED


def test_exchanged_bytes_that_were_sent_do_not_leave_again(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].say("cancel", referral_id, text="Synthetic reason.")
    pair[SENDER].send()
    _exchange(pair, "outbox", "value")
    pair[SENDER].reopen()
    with pair[SENDER].ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE outbox SET next_send_at = 0")
    with pytest.raises(LedgerUnusable):
        pair[SENDER].send()
