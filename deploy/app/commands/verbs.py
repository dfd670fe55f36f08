"""The verbs of the life cycle: one command for each row of `schemas.lifecycle.MOVES`."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.app.agency_client import AgencyClient
from deploy.app.commands.given_texts import file_option, from_files
from deploy.app.commands.option_names import by_option_names
from deploy.app.commands.options import AgainOption, HomeOption, JsonOption, ReferralArgument, client_of, parse_time
from deploy.app.commands.unsent_warning import leaving_document, warn_if_nothing_leaves
from deploy.app.output import already_done, say, say_error, say_json
from deploy.app.views.event_views import referral_document
from producers.verbs import SAID_SEVERAL_TIMES, Asked, Moved
from referral_bus.errors import Reason, Refused
from schemas.lifecycle import MOVES, NOTES, Move, Side, Status
from schemas.referral_request import IDEMPOTENCY_KEY

OUTCOME = Annotated[str | None, typer.Option("--outcome", help="Code of the list outcome.")]
REASON = Annotated[str | None, typer.Option("--reason", help="Code of the list outcome_reason.")]
TEXT = Annotated[str | None, typer.Option("--text", help="A text for the other side; sealed.")]
SUGGEST = Annotated[str | None, typer.Option("--suggest", metavar="AGENCY", help="Another agency that could help.")]
KIND = Annotated[str | None, typer.Option("--kind", help=f"One of {', '.join(sorted(NOTES))}.")]
TIME = Annotated[str | None, typer.Option("--time", help="Of the appointment, with offset: 2026-11-23T19:00+05:00.")]
PLACE = Annotated[str | None, typer.Option("--place", help="Of the appointment.")]
KEY = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="KEY", help="A second call with this key says nothing new.")
]
LOCAL_REF = Annotated[str | None, typer.Option("--local-ref", help="Our own case number; stays here.")]
TEXT_FILE, PLACE_FILE, LOCAL_REF_FILE = map(file_option, ("--text", "--place", "--local-ref"))

OPTION_OF = {
    "outcome": "--outcome",
    "outcome_reason": "--reason",
    "suggested_agency": "--suggest",
    "business_status": "--kind",
    "appointment.time": "--time",
    "appointment.place": "--place",
    "appointment": "--time",
    "text": "--text",
    "local_ref": "--local-ref",
    "idempotency_key": "--idempotency-key",
}
"""The option by which each field of the body is typed."""


def _options(move: Move) -> dict[str, Any]:
    """The options of a verb's command, as name to type."""
    options: dict[str, Any] = {}
    if "outcome" in move.needs:
        options["outcome"] = OUTCOME
    if move.by is Side.RECIPIENT and move.to in (Status.REJECTED, Status.COMPLETED, Status.FAILED):
        options["reason"] = REASON
    if move.to is Status.REJECTED:
        options["suggest"] = SUGGEST
    if "business_status" in move.needs:
        options |= {"kind": KIND, "time": TIME, "place": PLACE, "place_file": PLACE_FILE}
    texts = {"text": TEXT, "text_file": TEXT_FILE, "local_ref": LOCAL_REF, "local_ref_file": LOCAL_REF_FILE}
    return options | texts | {"idempotency_key": KEY}


def _detail(said: dict[str, Any]) -> dict[str, Any]:
    """The fields of the sealed body. Raises `Refused` for a time without its offset, and for a place without a time."""
    detail = {
        "outcome": said.get("outcome"),
        "outcome_reason": said.get("reason"),
        "suggested_agency": said.get("suggest"),
        "business_status": said.get("kind"),
        "text": said.get("text"),
    }
    if said.get("place") is not None and said.get("time") is None:
        raise Refused(Reason.FIELD_MISSING, "an appointment needs its time", "--time")
    if said.get("time") is not None:
        appointment = {"time": parse_time(said["time"], "--time"), "place": said.get("place")}
        detail["appointment"] = {name: value for name, value in appointment.items() if value is not None}
    return detail


def _checked_key(key: str | None) -> str | None:
    """The key, if it has the form that a request file demands. Raises `Refused`."""
    if key is not None and re.fullmatch(IDEMPOTENCY_KEY, key) is None:
        advice = "a key is 1 to 128 letters, digits and signs of ASCII, without spaces"
        raise Refused(Reason.VALUE_REFUSED, advice, "--idempotency-key")
    return key


def _answer(client: AgencyClient, move: Move, moved: Moved, asked: Asked, json: bool) -> None:
    referral = moved.referral
    left = referral.peer not in client.believed
    if left and not json:
        say_error(f"warning: {referral.peer} has left the register: this is stored here and cannot be delivered")
    if json:
        say_json(referral_document(referral) | {"other_left": left, "again": moved.again} | leaving_document(client))
        return
    if moved.again and asked.key is None:
        say_error("warning: the same was said a few minutes ago, so nothing was said now; add --again to say it anew")
    was = " was said before" if moved.again else ""
    say(f"{referral.key.referral_id}  {move.verb}{was}: {referral.status}")


def _command(move: Move) -> Callable[..., None]:
    def verb(referral_id: str, home: Path, *, again: bool = False, json: bool = False, **given: Any) -> None:
        said = from_files(given)
        client = client_of(home)
        local_ref = said.pop("local_ref", None)
        asked = Asked(key=_checked_key(said.pop("idempotency_key", None)), meant=again)
        with by_option_names(OPTION_OF):
            moved = client.move_once(move.verb, referral_id, _detail(said), local_ref, asked)
        was = "was said before" if moved.again else "said"
        with already_done(f"{move.verb} {was} about {moved.referral.key.referral_id}"):
            _answer(client, move, moved, asked, json)
            warn_if_nothing_leaves(client, json)

    kinds: dict[str, tuple[Any, Any]] = {
        "referral_id": (ReferralArgument, inspect.Parameter.empty),
        "home": (HomeOption, inspect.Parameter.empty),
        **({} if move.verb in SAID_SEVERAL_TIMES else {"again": (AgainOption, False)}),
        "json": (JsonOption, False),
        **{name: (kind, None) for name, kind in _options(move).items()},
    }
    signature = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in kinds.items()
    ]
    verb.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined] # typer reads the options from it
    verb.__annotations__ = {name: kind for name, (kind, _) in kinds.items()}
    verb.__doc__ = f"{move.help} By the {move.by}."
    return verb


def add_to(app: typer.Typer) -> None:
    for move in MOVES:
        app.command(move.verb)(_command(move))
