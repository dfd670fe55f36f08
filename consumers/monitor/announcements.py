"""Stores what agencies say of themselves: announcements, of which the newest counts, and notices of dead letters."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from consumers.monitor import tables
from consumers.monitor.counters import Tally, reason_label
from consumers.monitor.flow_rows import among
from referral_bus.broker.send_failures import NOTICE_CODES
from schemas.events import AgencyAnnouncement, DeadLetterNotice
from schemas.outcomes import CODES, Outcome

MOST_NOTICES = 10_000  # kept of one agency; each may stand for many dead letters
MOST_COUNTED = 1_000_000  # dead letters counted for one notice, even if it says more
_FINAL = frozenset(code for code, rule in CODES.items() if rule.outcome is Outcome.REFUSED)  # final: no retry follows
_NEW = insert(tables.agencies)
_HELD = tables.agencies.c
_NEWEST = _NEW.on_conflict_do_update(
    index_elements=["code"],
    set_={column.name: _NEW.excluded[column.name] for column in tables.agencies.c if column.name != "code"},
    where=sa.tuple_(_HELD.incarnation, _HELD.counter) < sa.tuple_(_NEW.excluded.incarnation, _NEW.excluded.counter),
)


def save_announcements(tx: Connection, announcements: Sequence[tuple[AgencyAnnouncement, datetime, str]]) -> None:
    """Stores announcements, each with the time at which it was heard and the id of its signing key. An older one that
    the host of Kafka replays changes nothing, not even `heard_at`."""
    found = [
        {
            "code": announcement.agency,
            "incarnation": announcement.incarnation,
            "counter": announcement.counter,
            "issued_at": announcement.issued_at,
            "heard_at": heard_at,
            "handed_over_before": announcement.handed_over_before,
            "open_referrals": announcement.open_referrals,
            "overdue_referrals": announcement.overdue_referrals,
            "register_version": announcement.register_version,
            "software_version": announcement.software_version,
            "key_id": key_id,
        }
        for announcement, heard_at, key_id in announcements
    ]
    if found:
        tx.execute(_NEWEST, found)


def save_notices(tx: Connection, notices: Sequence[tuple[DeadLetterNotice, datetime]], tally: Tally) -> None:
    """Stores notices, each with the time at which it was heard, and counts new ones in `tally`. A notice that Kafka
    refuses records settles the earlier ones of the same agency and code."""
    columns = tables.notices.c
    ids = [notice.notice_id for notice, _ in notices]
    known = set(tx.execute(sa.select(columns.notice_id).where(among(columns.notice_id, ids))).scalars()) if ids else ids
    found = {
        notice.notice_id: {
            "notice_id": notice.notice_id,
            "agency": notice.agency,
            "code": reason_label(notice.code),
            "event_id": notice.event_id,
            "count": min(notice.count, MOST_COUNTED),
            "issued_at": notice.issued_at,
            "heard_at": heard_at,
            "settled": notice.code in _FINAL,
        }
        for notice, heard_at in notices
        if notice.notice_id not in known
    }
    for row in found.values():
        tally.count("dead_letter_notices_total", str(row["agency"]), str(row["code"]))
    again = {(str(row["agency"]), str(row["code"])): row for row in found.values() if row["code"] in NOTICE_CODES}
    for row in found.values():
        row["settled"] = row["settled"] or again.get((str(row["agency"]), str(row["code"])), row) is not row
    for agency, code in again:  # the newest notice of this kind covers all that fails now
        here = (columns.agency == agency, columns.code == code, sa.not_(columns.settled))
        tx.execute(sa.update(tables.notices).where(*here).values(settled=True))
    if found:
        tx.execute(sa.insert(tables.notices), list(found.values()))
        _drop_beyond(tx, {str(row["agency"]) for row in found.values()})


def _drop_beyond(tx: Connection, agencies: Collection[str]) -> None:
    """Drops the oldest notices of each agency beyond `MOST_NOTICES`, so that a flood of notices in one agency's name
    pushes out only that agency's."""
    columns = tables.notices.c
    for agency in agencies:
        newest = sa.select(columns.notice_id).where(columns.agency == agency)
        beyond = newest.order_by(columns.heard_at.desc(), columns.notice_id).offset(MOST_NOTICES).limit(-1)
        tx.execute(sa.delete(tables.notices).where(columns.notice_id.in_(beyond)))


def settle_notices(tx: Connection, settled: Collection[tuple[str, UUID]]) -> None:
    """Settles notices by final receipts, each given as (the agency that wrote the receipt, the event's id): at that
    agency the event is no longer a dead letter."""
    columns = tables.notices.c
    waiting = sa.select(columns.agency).where(sa.not_(columns.settled)).distinct()
    for agency in tx.execute(waiting).scalars().all() if settled else ():
        ids = [event_id for writer, event_id in settled if writer == agency]
        here = (columns.agency == agency, among(columns.event_id, ids))
        tx.execute(sa.update(tables.notices).where(*here).values(settled=True))
