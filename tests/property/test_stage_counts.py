"""Referrals counted by stage in one statement: the same stages and deadlines as of each referral alone."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from referral_bus.ledger import referrals, tables
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.peers import all_peers, learn_incarnation, take_announcement
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.store import Ledger, Tx, create_ledger
from referral_bus.stage_queries import count_stages, stage_of
from referral_bus.stages import Stage
from referral_bus.wire.avro_codec import encode
from schemas.deadlines import Limits
from schemas.events import AgencyAnnouncement, ReferralKey
from schemas.lifecycle import OPEN, Side, Status
from tests.kit.bench import START
from tests.kit.made_once import AT_REST
from tests.kit.people import RECIPIENT, SENDER, THIRD

HERE = SENDER
MOMENTS = st.integers(-4, 4).map(lambda days: START + timedelta(days=days))  # few, so that some are the same
LATER = st.none() | st.none() | MOMENTS


@dataclass(frozen=True)
class Known:
    """A referral, and what this ledger knows of its way."""

    referral: Referral
    delivery: OutboxState
    receipt_issued_at: datetime | None
    refused_before: bool
    handed_over: tuple[bool, ...]


REFERRALS = st.builds(
    Referral,
    key=st.uuids().map(lambda number: ReferralKey(SENDER, number)),
    side=st.sampled_from(Side),
    peer=st.sampled_from([RECIPIENT, THIRD]),
    status=st.just(Status.REQUESTED) | st.sampled_from(Status),
    priority=st.just("urgent"),
    acknowledge_by=MOMENTS,
    respond_by=MOMENTS,
    created_at=MOMENTS,
    changed_at=MOMENTS,
    consent_expires_at=MOMENTS,
    acknowledged_at=LATER,
    answered_at=LATER,
    cancel_requested_at=LATER,
    question_asked_at=LATER,
)
KNOWN = st.builds(
    Known,
    REFERRALS.map(
        lambda each: each if each.side is Side.SENDER else replace(each, key=ReferralKey(each.peer, each.key[1]))
    ),
    st.just(OutboxState.STORED) | st.sampled_from(OutboxState),
    LATER,
    st.booleans(),
    st.lists(st.booleans(), min_size=1, max_size=3).map(lambda done: tuple(sorted(done, reverse=True))),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    made = create_ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite", AtRest(AT_REST), HERE)
    yield made
    made.close()


def _event(tx: Tx, key: ReferralKey, writer: str, outcome: str) -> int:
    values = {"event_id": uuid4(), "referral_sender": key.sender, "referral_id": key.referral_id, "writer": writer}
    values |= {"record": "ReferralEvent", "incarnation": 1, "sequence": 1, "occurred_at": START, "recorded_at": START}
    result = tx.connection.execute(sa.insert(tables.events).values(values | {"outcome": outcome}))
    return int(result.inserted_primary_key[0]) if result.inserted_primary_key else 0


def _write(tx: Tx, known: Known) -> None:
    referral, key = known.referral, known.referral.key
    referrals.insert(tx, referral)
    here = {"referral_sender": key.sender, "referral_id": key.referral_id}
    if referral.side is Side.SENDER:
        for state in (known.delivery, OutboxState.NEW):  # a later event of ours says nothing of the first one
            row = here | {
                "number": _event(tx, key, HERE, "STORED"),
                "event_id": uuid4(),
                "incarnation": 1,
                "sequence": 1,
            }
            row |= {"addressee": referral.peer, "erasure": False, "state": state, "unsealed": b"", "sends": 0}
            row |= {"gap_reported": False, "resend_requested": False, "receipt_issued_at": known.receipt_issued_at}
            tx.connection.execute(sa.insert(tables.outbox).values(row))
        return
    if known.refused_before:
        _event(tx, key, THIRD, "REFUSED")
    for done in known.handed_over:
        row = here | {"number": _event(tx, key, referral.peer, "STORED"), "attempts": 0, "next_attempt_at": START}
        tx.connection.execute(sa.insert(tables.handovers).values(row | {"done_at": START if done else None}))


def _hear(tx: Tx, handed_over_before: datetime) -> None:
    said = AgencyAnnouncement(
        agency=RECIPIENT,
        incarnation=1,
        counter=1,
        issued_at=max(START, handed_over_before),
        expires_at=max(START, handed_over_before),
        register_version=1,
        register_sha256=bytes(32),
        sealing_keys=(),
        readable_schemas=(),
        services=(),
        handed_over_before=handed_over_before,
        open_referrals=0,
        overdue_referrals=0,
        handovers_blocked=0,
        audit_count=0,
        audit_head=bytes(32),
        software_version="0.0.0",
    )
    learn_incarnation(tx, RECIPIENT, 1, "a key", START)
    assert take_announcement(tx, said, encode(said), "a key", START)


@given(
    st.lists(KNOWN, max_size=8, unique_by=lambda each: each.referral.key),
    MOMENTS,
    MOMENTS,
    st.sampled_from([{RECIPIENT, THIRD}, {RECIPIENT}]),
)
def test_counting_in_sql_agrees_with_judging_each_referral(
    ledger: Ledger, known: list[Known], now: datetime, handed_over_before: datetime, believed: set[str]
) -> None:
    limits = Limits(unanswered=timedelta(days=1), idle=timedelta(days=2))
    expected: Counter[tuple[Side, Stage, bool]] = Counter()
    with ledger.write() as tx:
        for table in (tables.referrals, tables.outbox, tables.events, tables.handovers, tables.peers):
            tx.connection.execute(sa.delete(table))
        _hear(tx, handed_over_before)
        for each in known:
            _write(tx, each)
        for each in known:
            standing = stage_of(tx, each.referral, all_peers(tx), limits, believed)
            if each.referral.status in OPEN:
                expected[each.referral.side, standing.stage, standing.overdue(now)] += 1
        counted = count_stages(tx, now, limits, believed)
    overdue = {(*at, True): count.overdue for at, count in counted.items()}
    in_time = {(*at, False): count.open - count.overdue for at, count in counted.items()}
    assert Counter(overdue | in_time) == expected, "zeros count for nothing"
