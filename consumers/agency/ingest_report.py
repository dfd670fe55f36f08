"""Reports what ingest has taken in and what it has not: counts every record, and logs some of those not taken."""

import time
from collections.abc import Sequence
from typing import assert_never

from consumers.agency.verdicts import Again, Missing, NoRoom, NotTaken, RegisterHeard, Reseal, TakenIn, Verdict
from referral_bus.broker.protocols import Unreadable
from referral_bus.logs import Log, Seldom
from referral_bus.logs import defect as place_of
from referral_bus.metrics import ServiceMetrics


class IngestReport:
    """Used by ingest's thread."""

    def __init__(self, metrics: ServiceMetrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log
        self._seldom = Seldom(time.monotonic)

    def of(self, verdict: Verdict) -> None:
        """Counts one verdict, and logs some of the records that were not taken."""
        match verdict:
            case TakenIn(record):
                self._metrics.consumed(record)
            case RegisterHeard(version):
                self._metrics.consumed(version.record)
            case Again(record):
                self._metrics.duplicate(record)
            case Missing(record):
                self._metrics.process_failures(record, "MISSING")
            case Reseal(record):
                self._not_taken(record, "RESEAL")
            case NoRoom(record):
                self._not_taken(record, "NO_ROOM")
            case NotTaken(record, code, owed):
                if owed:
                    self._metrics.dead_letter(code)
                self._not_taken(record, code)
            case _:
                assert_never(verdict)

    def passed_over(self, batches: Sequence[Unreadable]) -> None:
        """Reports Kafka batches that cannot be unpacked. Their writers get no receipts for them, so they send again."""
        for batch in batches:
            self._not_taken("unknown", batch.code)

    def defect(self, error: Exception) -> None:
        self._log.error("defect", where=place_of(error))
        self._metrics.process_failures("unknown", "DEFECT")

    def _not_taken(self, record: str, code: str) -> None:
        """Counts every record; logs only some of each code and kind, so that a writer of a hundred thousand wrong
        records does not fill the disk with log lines."""
        self._metrics.process_failures(record, code)
        if self._seldom(code, record):
            self._log.warning("not_taken", code=code, record=record)
