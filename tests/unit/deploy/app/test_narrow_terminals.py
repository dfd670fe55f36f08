"""Every list fits a terminal of 60 columns, and where no terminal sets a limit one entry is one line."""

from io import StringIO

import pytest
from rich.console import Console

from deploy.app.views.table import Listing
from tests.kit.command import Command
from tests.kit.homes import Post
from tests.unit.deploy.app.conftest import Federation

NARROW = 60
LISTS = [
    *(("inbox",), ("inbox", "--with", "family-women"), ("inbox", "--mine"), ("todo",), ("agencies",), ("erasures",)),
    *(("agencies", "--for-me"), ("why", "{id}"), ("show", "{id}"), ("codes", "stages"), ("codes", "refusals")),
    ("dead-letters", "list"),
]


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_in_60_columns_no_line_is_longer(
    arguments: tuple[str, ...],
    federation: Federation,
    command: Command,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ("--text", "Synthetic: which day, and who comes with her, since she cannot come alone on a working day?")
    for verb in (("accept", federation.referral), ("ask", federation.referral, *asked)):
        assert command(federation.recipient, *verb).code == 0
    withdrawn = post.refer("Synthetic: another need.")
    assert command(federation.recipient, "withdraw", withdrawn, "--yes").code == 0
    monkeypatch.setenv("COLUMNS", str(NARROW))
    agency = None if arguments[0] == "codes" else federation.recipient
    said = command(agency, *(each.format(id=federation.referral) for each in arguments))
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= NARROW


def test_where_no_terminal_sets_a_limit_an_entry_is_one_line(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    [entry, count] = command(federation.recipient, "inbox").out.splitlines()
    assert str(federation.referral)[:8] in entry
    assert count.startswith("1 received")


def _drawn(listing: Listing, width: int) -> str:
    page = Console(file=StringIO(), width=width, force_terminal=False)
    page.print(listing)
    assert isinstance(page.file, StringIO)
    return page.file.getvalue()


def test_a_table_that_does_not_fit_is_told_row_by_row_and_loses_nothing() -> None:
    listing = Listing("Waiting", ("referral", "from", "to", "", "whom to call"))
    cells = (
        "3f2a91c4",
        "family-women",
        "public-health",
        "1 hour late",
        "desk, referrals@public-health.example",
    )
    listing.add(cells, "")
    narrow, wide = _drawn(listing, NARROW), _drawn(listing, 200)
    assert max(map(len, narrow.splitlines())) <= NARROW
    assert " ".join(narrow.split()) == (
        "Waiting 3f2a91c4: from family-women, to public-health, 1 hour late, "
        "whom to call desk, referrals@public-health.example"
    )
    assert len(wide.splitlines()) == 3
    for cell in cells:
        assert cell in wide
