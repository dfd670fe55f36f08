"""`withdraw`, `entered-in-error`, `erasures`: erase a referral at both sides, and list erasures without
confirmation."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.app.agency_client import AgencyClient
from deploy.app.commands.options import HomeOption, JsonOption, WholeIdArgument, client_of
from deploy.app.commands.unsent_warning import leaving_document, warn_if_nothing_leaves
from deploy.app.output import already_done, answer, say, say_all, say_json
from deploy.app.views.case_view import erased_lines
from deploy.app.views.erasure_views import erasure_document, erasure_lines, erasure_sentence
from deploy.app.views.list_views import left_out, page_document
from deploy.app.views.text_layout import entries, page_width
from referral_bus.errors import Reason, Refused
from referral_bus.ledger.resolve import check_whole
from referral_bus.ledger.tombstones import Tombstone
from schemas.lifecycle import ErasureReason

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
NOT_ERASED = 2


def withdraw(referral_id: WholeIdArgument, home: HomeOption, yes: YesOption = False, json: JsonOption = False) -> None:
    """Erase a referral, because the person has taken back the consent: here at once, and at the other side. By either
    side, whatever its status. Shows what will be erased and asks."""
    _erase(referral_id, home, ErasureReason.WITHDRAWN, yes, json)


def entered_in_error(
    referral_id: WholeIdArgument, home: HomeOption, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Erase a referral that should never have been sent. By the sender. Shows what will be erased and asks."""
    _erase(referral_id, home, ErasureReason.ENTERED_IN_ERROR, yes, json)


def _erase(referral_id: str, home: Path, reason: ErasureReason, yes: bool, json: bool) -> None:
    client = client_of(home)
    check_whole(referral_id)
    if not yes:
        _ask(client, referral_id, reason, json)
    left = client.withdraw(referral_id, reason)
    with already_done(f"{left.key.referral_id} is erased here and the other side is asked to erase it"):
        document = erasure_document(left, client.believed) | leaving_document(client)
        answer(document, entries([erasure_sentence(left, client.clock(), client.settings, client.believed)]), json)
        warn_if_nothing_leaves(client, json)


def _ask(client: AgencyClient, referral_id: str, reason: ErasureReason, json: bool) -> None:
    """Ends the command unless a person at the terminal agrees. A referral that a person has had erased already needs no
    question."""
    if json or not (sys.stdin.isatty() and sys.stdout.isatty()):  # without a terminal no person could answer
        raise Refused(
            Reason.FIELD_MISSING, "this erases for good, and without a terminal cannot ask; add --yes", "--yes"
        )
    about = client.to_withdraw(referral_id, reason)
    if isinstance(about, Tombstone):
        if about.needs_confirmation:
            return
        say_all(entries([erasure_sentence(about, client.clock(), client.settings, client.believed)]))
    else:
        say_all(erased_lines(about, client.settings.time_zone, page_width()))
    if not typer.confirm("Erase it for good, here and at the other side?"):
        say("nothing was erased")
        raise typer.Exit(NOT_ERASED)


def erasures(
    home: HomeOption,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="Maximum number of rows.")] = 100,
    json: JsonOption = False,
) -> None:
    """Erasures that wait for an agency's own system to confirm, ours or the other side's, the oldest first."""
    client = client_of(home)
    found, total = client.unconfirmed(most), client.count_unconfirmed()
    if json:
        say_json(page_document("erasures", [erasure_document(left, client.believed) for left in found], total))
        return
    lines = erasure_lines(found, client.clock(), client.settings, client.believed)
    say_all([*entries(lines), *left_out(len(found), total)] or ["every erasure is confirmed"])


def add_to(app: typer.Typer) -> None:
    app.command()(withdraw)
    app.command("entered-in-error")(entered_in_error)
    app.command()(erasures)
