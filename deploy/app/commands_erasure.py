"""`withdraw`, `entered-in-error`, `erasures`: what a person wants erased is erased, at both sides, and confirmed."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.app.erasures import erasure_document, erasure_lines, erasure_sentence
from deploy.app.options import HomeOption, JsonOption, ReferralArgument, desk_of
from deploy.app.output import say, say_all, say_json
from schemas.lifecycle import ErasureReason


def withdraw(referral_id: ReferralArgument, home: HomeOption, json: JsonOption = False) -> None:
    """Erase a referral, because the person has taken back the consent: here at once, and at the other side. By either
    side, whatever its status."""
    _erase(referral_id, home, ErasureReason.WITHDRAWN, json)


def entered_in_error(referral_id: ReferralArgument, home: HomeOption, json: JsonOption = False) -> None:
    """Erase a referral that should never have been sent. By the sender."""
    _erase(referral_id, home, ErasureReason.ENTERED_IN_ERROR, json)


def _erase(referral_id: str, home: Path, reason: ErasureReason, json: bool) -> None:
    desk = desk_of(home)
    left = desk.withdraw(referral_id, reason)
    if json:
        say_json(erasure_document(left))
    else:
        say(erasure_sentence(left, desk.clock(), desk.settings))


def erasures(
    home: HomeOption,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="At most so many.")] = 100,
    json: JsonOption = False,
) -> None:
    """Erasures that wait for an agency's own system to confirm, ours or the other side's, the oldest first."""
    desk = desk_of(home)
    found = desk.unconfirmed(most)
    if json:
        say_json([erasure_document(left) for left in found])
    else:
        say_all(list(erasure_lines(found, desk.clock(), desk.settings)) or ["every erasure is confirmed"])


def add_to(app: typer.Typer) -> None:
    app.command()(withdraw)
    app.command("entered-in-error")(entered_in_error)
    app.command()(erasures)
