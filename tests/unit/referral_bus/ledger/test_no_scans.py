"""What runs again and again costs the same however much a ledger holds: it reads no big table from end to end."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consumers.agency.maintenance import scrub
from producers.relay import TIDY_EVERY
from referral_bus.backoff import Backoff
from referral_bus.ledger import handovers, outbox, queries, referrals, tables, tombstones
from referral_bus.ledger.handovers import Retries
from referral_bus.ledger.outbox import FINAL, OutboxState
from referral_bus.ledger.outbox_sweep import sweep
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.retention import Retention, retain
from referral_bus.stage_queries import count_stages, stage_of
from schemas.deadlines import DEFAULT_LIMITS
from schemas.lifecycle import Side
from tests.kit.bench import RESEND_AFTER, Bench, bench
from tests.kit.people import RECIPIENT, SENDER, request

SMALL = ("agency", "peers", "positions", "inboxes", "restored_peers", "resends", "quotas", "receipts_owed")
"""At most a row for each agency or topic; of receipts, what has not left yet."""
LIVE = (
    *("ix_outbox_addressee_next_send_at", "ix_outbox_due", "ix_outbox_untimed", "ix_outbox_failing"),
    "ix_outbox_lost_erasures",
    *("ix_handovers_due", "ix_handovers_undone", "ix_handovers_waiting", "ix_dead_letters_untold"),
    *("ix_tombstones_unconfirmed", "ix_tombstones_unscrubbed"),
)
"""These hold only what somebody waits for."""
NEEDED = (
    *("ix_referrals_open", "ix_referrals_subject", "ix_referrals_ended", "ix_outbox_untimed"),
    *("ix_sent_values_number", "ix_idempotency_answer", "ix_idempotency_created_at"),
    *("ix_tombstones_unconfirmed", "ix_tombstones_unscrubbed", "ix_tombstones_unforgotten"),
    *(f"ix_tombstones_{name}_key_id" for name in tombstones.ANSWERS),
)
BELIEVED = (SENDER, RECIPIENT)
KEEP = Retention()
PATIENCE = Retries(5, timedelta(seconds=1))

ENDS_SOON = (
    "FROM audit ORDER BY audit.number DESC\n LIMIT ?",  # after one step
    # at the first entry that travelled, or of the day before: it passes over what only staff here did today
    "FROM audit \nWHERE audit.action IN (?, ?, ?, ?, ?) OR audit.at < ? ORDER BY audit.number DESC\n LIMIT ?",
)
"""SQLite calls these scans, though they go back from the newest row and end."""

Asked = dict[str, tuple[object, ...]]  # each statement, and parameters that it was run with


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    """With referrals of every kind: on their way, behind another event, answered, ended, erased, without a key."""
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        sender, recipient = made[SENDER], made[RECIPIENT]
        first, second, third, _ = (
            sender.publish(request(RECIPIENT, idempotency_key=f"referral-{number:016d}"))[0] for number in range(4)
        )
        made.settle()
        recipient.say("reject", first, outcome_reason="no-capacity")
        sender.withdraw(second)
        made.settle()
        recipient.pull()
        for verb in ("see", "accept"):
            recipient.say(verb, third)
        sender.refer(RECIPIENT)
        with sender.ledger.write() as tx:
            keyless = {"state": OutboxState.WAITING_FOR_KEY.value, "next_send_at": None}
            newest = sa.select(sa.func.max(tables.outbox.c.number)).scalar_subquery()
            tx.connection.execute(sa.update(tables.outbox).where(tables.outbox.c.number == newest).values(keyless))
        yield made


def _publish_and_speak(pair: Bench) -> None:
    sender, recipient = pair[SENDER], pair[RECIPIENT]
    referral = sender.publish(request(RECIPIENT, idempotency_key="another-key-of-ours"))[0]
    pair.settle()
    recipient.say("see", referral)
    pair.settle()
    sender.withdraw(referral)
    pair.settle()


def _relay(pair: Bench) -> None:
    """With what it does once a minute, and with what is sent again."""
    pair.clock.move(max(TIDY_EVERY, RESEND_AFTER))
    for station in pair.stations.values():
        station.relay.tick()


def _wake(pair: Bench) -> None:
    for station in pair.stations.values():
        with station.ledger.write() as tx:
            outbox.give_up(tx, [RECIPIENT], pair.clock())
            outbox.let_go(tx, BELIEVED[:1], pair.clock())
            sweep(tx, pair.clock(), Backoff(RESEND_AFTER, outbox.LONGEST_PAUSE))


def _hand_over(pair: Bench) -> None:
    for station in pair.stations.values():
        with station.ledger.write() as tx:
            found = handovers.due(tx, pair.clock(), (), 10, PATIENCE)
            handovers.due(tx, pair.clock() - timedelta(days=1), (), 10, PATIENCE)
            for received in found[:1]:
                handovers.failed(tx, received.cursor, PATIENCE, pair.clock())
            handovers.handed_over(tx, [received.cursor for received in found], station.writing())
            handovers.acknowledged_up_to(tx, handovers.newest(tx), station.writing())
            handovers.after_cursor(tx, 0, 10)


def _count(pair: Bench) -> None:
    """As every scrape of the metrics does."""
    for station in pair.stations.values():
        with station.ledger.read() as tx:
            queries.counts(tx)
            count_stages(tx, pair.clock(), DEFAULT_LIMITS, BELIEVED)
            handovers.oldest_waiting(tx)
            handovers.blocked(tx)
            tombstones.unconfirmed(tx, pair.clock())
            tombstones.left_behind(tx, pair.clock(), BELIEVED[:1])
            tombstones.list_unconfirmed(tx, 10, BELIEVED)


def _show(pair: Bench) -> None:
    for station in pair.stations.values():
        with station.ledger.read() as tx:
            for found in (*queries.open_referrals(tx, Side.SENDER), *queries.open_referrals(tx, Side.RECIPIENT)):
                [referral] = referrals.find(tx, str(found.key.referral_id))
                stage_of(tx, referral, all_peers(tx), DEFAULT_LIMITS, BELIEVED)
                queries.history(tx, referral.key)


def _scrub(pair: Bench) -> None:
    for station in pair.stations.values():
        assert scrub(station.ledger, station.writing())
        assert scrub(station.ledger, station.writing()), "nothing is left to do"


def _retain(pair: Bench) -> None:
    """Until nothing is left to do."""
    for station in pair.stations.values():
        for _ in range(3):
            pair.clock.move(max(KEEP.ended, KEEP.erased, KEEP.idempotency) + timedelta(seconds=1))
            while retain(station.ledger, KEEP, station.writing()):
                station.pull()
                pair.announce()


def _restart(pair: Bench) -> None:
    for station in pair.stations.values():
        station.reopen()


DOINGS: tuple[Callable[[Bench], None], ...] = (
    *(_publish_and_speak, _relay, _wake, _hand_over, _count, _show, _scrub, _restart, _retain),
)


def _asked(pair: Bench, *doings: Callable[[Bench], None]) -> dict[str, Asked]:
    """Every statement that each ledger was asked meanwhile."""
    asked: dict[str, Asked] = {code: {} for code in pair.stations}
    for code, station in pair.stations.items():
        sa.event.listen(station.ledger.engine, "before_cursor_execute", _note_in(asked[code]))
    for do in doings:
        do(pair)
    return {code: dict(each) for code, each in asked.items()}


def _note_in(asked: Asked) -> Callable[..., None]:
    def note(
        _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool
    ) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            asked[statement] = parameters[0] if many else parameters

    return note


def _scans(connection: sa.Connection, asked: Mapping[str, tuple[object, ...]]) -> list[str]:
    """The steps that read a big table from end to end."""
    return [
        f"{step[3]}: {statement}"
        for statement, parameters in asked.items()
        for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        if _is_scan(str(step[3])) and not any(each in statement for each in ENDS_SOON)
    ]


def _is_scan(step: str) -> bool:
    """Of a table, by its own name or another, and not of a subquery; an automatic index is made from all of it."""
    found = re.match(r"SCAN (?!CONSTANT|anon_)(\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
    return "AUTOMATIC" in step or (found is not None and found[1] not in SMALL and found[2] not in LIVE)


@pytest.mark.parametrize("do", DOINGS, ids=lambda do: do.__name__)
def test_nothing_that_runs_again_and_again_reads_a_big_table_from_end_to_end(
    pair: Bench, do: Callable[[Bench], None]
) -> None:
    for code, asked in _asked(pair, do).items():
        assert asked
        with pair[code].ledger.read() as tx:
            assert _scans(tx.connection, asked) == []


def test_every_index_is_needed_for_that(pair: Bench) -> None:
    asked = _asked(pair, *DOINGS)[SENDER]
    needless = []
    for index in NEEDED:
        with pair[SENDER].ledger.engine.connect() as connection, connection.begin() as never:
            connection.exec_driver_sql(f"DROP INDEX {index}")
            needless += [] if _scans(connection, asked) else [index]
            never.rollback()
    assert needless == []


def test_what_is_not_final_is_the_same_in_the_index_and_in_the_code() -> None:
    states = ", ".join(f"'{state.value}'" for state in sorted(FINAL))
    assert f"next_send_at IS NULL AND state NOT IN ({states})" == tables.IS_UNTIMED
