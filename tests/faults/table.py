"""Writes the results of a full run into the document: `python -m tests.faults.table RESULTS docs/reliability.md`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.dose import Row, read

BEGIN, END = "<!-- faults -->\n", "<!-- end of faults -->\n"
FAULTS = {
    "F1": "kill -9 of the sending service at any moment",
    "F2": "crash before and after each commit, send, receipt, offset and hand-over",
    "F3": "kill -9 of the receiving service at any moment",
    "F4": "the service stopped for 30 s, a second one started meanwhile",
    "F5": "kill -9 of the broker under load, back with its data",
    "F6": "the broker wiped and formatted anew under load",
    "F7": "three brokers: the leader killed under load",
    "F8": "a bad network: slow, sliced, cut, reset, black hole, half open",
    "F9": "the agency's disk full, then freed",
    "F10": "the agency's clock a day off, and jumping",
    "F11": "poison by an agency's own key among good events",
    "F12": "the recipient away for days, then back",
    "F13": "a ledger restored from a backup",
    "F14": "the agency's own endpoint fails",
    "F15": "everything at random, for a quarter of an hour",
    "F16": "small batches that unpack to gigabytes, in every topic",
    "F17": "topics that end with an aborted transaction, or were emptied",
    "F18": "a stolen key that announces the highest there is, then revoked",
    "F19": "a backup edited by a hand without keys",
    "F20": "a clock that is ahead, and an agency that lies about the time",
}
HEAD = ("#", "Fault", "Dose", "Events", "Lost", "Twice", "Out of order", "Invented", "Differing", "Seconds")


def render(rows: Sequence[Row]) -> str:
    """As Markdown, one line for each fault; of several results of one fault the last counts."""
    last = {row.fault: row for row in rows}
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(last[fault]) for fault in FAULTS if fault in last)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    counted = (row.lost, row.twice, row.out_of_order, row.invented, row.differing)
    return row.fault, FAULTS[row.fault], row.dose, f"{row.events:,}", *map(str, counted), f"{row.seconds:.0f}"


def put_in(document: str, table: str) -> str:
    """Raises `ValueError` when the document has no place for it."""
    before, _, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the document lacks a line {BEGIN!r} before a line {END!r}")
    return f"{before}{BEGIN}{table}{END}{after}"


def main(results: Path, document: Path) -> None:
    text = put_in(document.read_text(encoding="utf-8"), render(read(results)))
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
