"""Bounds the bytes of one day that the monitor keeps of each agency: its events, the flows that they begin, and
receipts that wait for their event. These rows stay for the whole retention time, so without a bound one agency could
fill the monitor's disk. What is beyond it is counted in `not_kept_total`, and changes no flow."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from consumers.monitor import tables

MOST_A_DAY = 64 * 1024 * 1024  # bytes of one agency: some 100,000 referrals
EVENT, FLOW, EARLY_RECEIPT = 100, 500, 250  # bytes of a row with its indexes on the disk, rounded up
_K = tables.kept.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kept:
    """The bytes kept so far, within one transaction; `save` stores them."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx
        self._bytes: dict[tuple[str, int], int] = {}

    def takes(self, agency: str, heard_at: datetime, size: int) -> bool:
        """Whether `size` more bytes of this agency may be kept for the day of `heard_at`; if so, counts them."""
        of_day = (agency, day(heard_at))
        before = self._bytes[of_day] if of_day in self._bytes else self._read(*of_day)
        if before + size > MOST_A_DAY:
            return False
        self._bytes[of_day] = before + size
        return True

    def save(self) -> None:
        rows = [{"agency": agency, "day": on, "bytes": size} for (agency, on), size in self._bytes.items()]
        if rows:
            self._tx.execute(_UPSERT, rows)

    def _read(self, agency: str, on: int) -> int:
        query = sa.select(_K.bytes).where(_K.agency == agency, _K.day == on)
        return self._tx.execute(query).scalar_one_or_none() or 0


def day(moment: datetime) -> int:
    return (moment - _EPOCH).days


_NEW = insert(tables.kept)
_UPSERT = _NEW.on_conflict_do_update(index_elements=["agency", "day"], set_={"bytes": _NEW.excluded["bytes"]})
