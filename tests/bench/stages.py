"""How long it takes to count referrals by stage, as every scrape and every announcement asks for.

    python -m tests.bench.stages [OPEN] [ENDED]

fills a ledger with so many open referrals, half of them on each side and all in their early stages, which cost most,
and with so many ended ones beside them, and prints milliseconds: the best and the worst of ten counts.
"""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import handovers, queries, tables
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.store import Ledger, Tx, create_ledger
from referral_bus.ledger.tombstones import unconfirmed
from referral_bus.stage_queries import count_stages
from schemas.deadlines import DEFAULT_LIMITS
from schemas.lifecycle import Side, Status
from tests.kit.bench import START
from tests.kit.made_once import AT_REST
from tests.kit.people import RECIPIENT, SENDER

AT_ONCE = 10_000
TIMES = 10
NOW = START + timedelta(days=2)


def _write(tx: Tx, first: int, number: int, status: Status) -> None:
    """Half of them ours, half to us; every other one is stored or handed over."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: [] for table in (tables.referrals, tables.events, tables.outbox, tables.handovers)
    }
    for index in range(first, first + number):
        ours, done = index % 2 == 0, index % 4 < 2
        event_id = UUID(int=(index * 2654435761) % 2**128)
        where = {"referral_sender": SENDER if ours else RECIPIENT, "referral_id": event_id}
        side, moments = Side.SENDER if ours else Side.RECIPIENT, {"created_at": START, "changed_at": START}
        early = {"acknowledge_by": START + timedelta(days=1), "respond_by": START + timedelta(days=3)}
        referral = where | {"side": side, "peer": RECIPIENT, "status": status, "priority": "urgent"} | moments | early
        rows[tables.referrals].append(referral | {"consent_expires_at": NOW + timedelta(days=90)})
        event = where | {"number": index + 1, "event_id": event_id, "writer": where["referral_sender"]}
        event |= {"record": "ReferralEvent", "incarnation": 1, "sequence": 1, "occurred_at": START}
        rows[tables.events].append(event | {"recorded_at": START, "outcome": "STORED", "body": bytes(1200)})
        if ours:
            out = where | {"number": index + 1, "event_id": event_id, "incarnation": 1, "sequence": 1, "sends": 1}
            out |= {
                "addressee": RECIPIENT,
                "erasure": False,
                "state": "stored" if done else "sent",
                "unsealed": bytes(300),
            }
            out |= {"value": bytes(1800), "gap_reported": False, "resend_requested": False, "receipt_issued_at": START}
            rows[tables.outbox].append(out | {"next_send_at": None if done else NOW})
        else:
            over = where | {"number": index + 1, "attempts": 0, "next_attempt_at": START}
            rows[tables.handovers].append(over | {"done_at": START if done else None})
    for table, values in rows.items():
        tx.connection.execute(sa.insert(table), values)


def filled(folder: Path, still_open: int, ended: int) -> Ledger:
    ledger = create_ledger(folder / "ledger.sqlite", AtRest(AT_REST), SENDER)
    for first in range(0, ended + still_open, AT_ONCE):
        status = Status.COMPLETED if first < ended else Status.REQUESTED
        with ledger.write() as tx:
            _write(tx, first, min(AT_ONCE, ended + still_open - first), status)
    return ledger


def main(still_open: int = 100_000, ended: int = 0) -> None:
    with TemporaryDirectory() as folder:
        ledger = filled(Path(folder), still_open, ended)
        size = ledger.path.stat().st_size / 1e6
        print(f"{still_open} open, {ended} ended, {size:.0f} MB")  # noqa: T201
        asked: dict[str, Callable[[Tx], object]] = {
            "stages": lambda tx: count_stages(tx, NOW, DEFAULT_LIMITS, ()),
            "outbox and receipts": queries.counts,
            "hand-over": lambda tx: (handovers.oldest_waiting(tx), handovers.blocked(tx)),
            "erasures": lambda tx: unconfirmed(tx, NOW),
        }
        for name, ask in asked.items():
            took = []
            for _ in range(TIMES):
                began = time.process_time()  # others may use the same machine
                with ledger.read() as tx:
                    ask(tx)
                took.append((time.process_time() - began) * 1000)
            print(f"{name:<20} {min(took):6.1f} ms best, {max(took):6.1f} ms worst")  # noqa: T201
        began = time.perf_counter()
        ledger.check()
        print(f"check at start       {(time.perf_counter() - began) * 1000:6.1f} ms")  # noqa: T201
        ledger.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
