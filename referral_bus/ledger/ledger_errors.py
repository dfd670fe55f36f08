"""Turns errors of the ledger's database into `Unreachable`, if waiting may help, or `LedgerUnusable`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from referral_bus.errors import LedgerUnusable, Reason, Unreachable
from referral_bus.sqlite_errors import advice_for, trouble_of


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Within this context an error that the disk or another process causes becomes `Unreachable` or `LedgerUnusable`.
    Any other error is a defect, and passes unchanged."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        trouble = trouble_of(error, path)
        if trouble is None:
            raise
        if trouble == "damaged":
            raise damaged() from None
        advice = advice_for(trouble, path, "nothing accepted is lost")
        raise Unreachable(Reason.LEDGER_UNREACHABLE, advice, path="ledger") from None


def damaged() -> LedgerUnusable:
    """The error for a ledger that is missing or damaged."""
    advice = "the ledger is missing or damaged; put a backup in its place: referral-bus agency restored --from FILE"
    return LedgerUnusable(Reason.LEDGER_DAMAGED, advice, path="ledger")


def replaced() -> LedgerUnusable:
    """The error for a ledger whose file was replaced while it was open."""
    advice = "another file has taken the ledger's place since it was opened; open it anew"
    return LedgerUnusable(Reason.LEDGER_DAMAGED, advice, path="ledger")
