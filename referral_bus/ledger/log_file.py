"""The write-ahead log beside a ledger: it grows while a read transaction is open, and is truncated afterwards."""

from referral_bus.ledger.ledger_errors import reachable
from referral_bus.ledger.store import BUSY_TIMEOUT_S, LOG_LIMIT, Ledger


def log_bytes(ledger: Ledger) -> int:
    """The size of the log; 0 where there is none."""
    try:
        return ledger.path.with_name(f"{ledger.path.name}-wal").stat().st_size
    except OSError:
        return 0


def keep_short(ledger: Ledger) -> bool:
    """Truncates the log if it is over `LOG_LIMIT`. Returns False while a reader prevents it; does not wait for the
    reader, because no process could write to the ledger meanwhile."""
    if log_bytes(ledger) <= LOG_LIMIT:
        return True
    with reachable(ledger.path), ledger.engine.connect() as connection:
        driver = connection.connection.cursor()
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")
    return not busy
