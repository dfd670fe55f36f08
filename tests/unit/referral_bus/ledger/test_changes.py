"""Being told when somebody has written to the ledger."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from referral_bus.ledger.own_agency import next_announcement_place
from referral_bus.ledger.store import Changes, Ledger
from tests.kit.waiting import PATIENCE_S


@contextmanager
def _watched(ledger: Ledger) -> Iterator[Changes]:
    changes, stop = Changes(ledger.path), threading.Event()
    thread = threading.Thread(target=changes.run, args=(stop, lambda: None))
    thread.start()
    try:
        yield changes
    finally:
        stop.set()
        thread.join(PATIENCE_S)


def test_a_commit_by_another_process_wakes_who_waits(ledger: Ledger) -> None:
    write = "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute('PRAGMA user_version = 7')"
    with _watched(ledger) as changes:
        seen = changes.wait(0, PATIENCE_S)  # the first look
        subprocess.run([sys.executable, "-c", write, str(ledger.path)], check=True)
        assert changes.wait(seen, PATIENCE_S) != seen


def test_a_commit_of_our_own_wakes_who_waits(ledger: Ledger) -> None:
    with _watched(ledger) as changes:
        seen = changes.wait(0, PATIENCE_S)
        with ledger.write() as tx:
            next_announcement_place(tx)
        assert changes.wait(seen, PATIENCE_S) != seen


def test_without_a_commit_nobody_is_woken(ledger: Ledger) -> None:
    with _watched(ledger) as changes:
        seen = changes.wait(0, PATIENCE_S)
        with ledger.read():
            pass
        assert changes.wait(seen, 0.1) == seen


def test_what_was_written_before_one_began_to_wait_is_not_missed(ledger: Ledger) -> None:
    changes = Changes(ledger.path)
    changes.notify()
    assert changes.wait(0, PATIENCE_S) == 1


def test_a_wait_ends_in_time(ledger: Ledger) -> None:
    assert Changes(ledger.path).wait(0, 0.01) == 0
