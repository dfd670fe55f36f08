"""The verbs of the life cycle: one command for each row of its table."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.app.options import HomeOption, JsonOption, ReferralArgument, desk_of, parse_time
from deploy.app.output import say, say_error, say_json
from deploy.app.views import referral_document
from referral_bus.errors import Reason, Refused
from schemas.lifecycle import MOVES, NOTES, Move, Side, Status

OUTCOME = Annotated[str | None, typer.Option("--outcome", help="Code of the list outcome.")]
REASON = Annotated[str | None, typer.Option("--reason", help="Code of the list outcome_reason.")]
TEXT = Annotated[str | None, typer.Option("--text", help="A text for the other side; sealed.")]
SUGGEST = Annotated[str | None, typer.Option("--suggest", metavar="AGENCY", help="Another agency that could help.")]
KIND = Annotated[str | None, typer.Option("--kind", help=f"One of {', '.join(sorted(NOTES))}.")]
TIME = Annotated[str | None, typer.Option("--time", help="Of the appointment, with offset: 2026-11-23T19:00+05:00.")]
PLACE = Annotated[str | None, typer.Option("--place", help="Of the appointment.")]
LOCAL_REF = Annotated[str | None, typer.Option("--local-ref", help="Our own case number; stays here.")]


def _options(move: Move) -> dict[str, Any]:
    """The options that make sense for a verb."""
    options: dict[str, Any] = {}
    if "outcome" in move.needs:
        options["outcome"] = OUTCOME
    if move.by is Side.RECIPIENT and move.to in (Status.REJECTED, Status.COMPLETED, Status.FAILED):
        options["reason"] = REASON
    if move.to is Status.REJECTED:
        options["suggest"] = SUGGEST
    if "business_status" in move.needs:
        options |= {"kind": KIND, "time": TIME, "place": PLACE}
    return options | {"text": TEXT, "local_ref": LOCAL_REF}


def _detail(said: dict[str, Any]) -> dict[str, Any]:
    """The sealed body's fields. A time without its offset is refused, never guessed."""
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


def _command(move: Move) -> Callable[..., None]:
    def verb(referral_id: str, home: Path, *, json: bool = False, **said: Any) -> None:
        desk = desk_of(home)
        local_ref = said.pop("local_ref", None)
        referral = desk.move(move.verb, referral_id, _detail(said), local_ref)
        left = referral.peer not in desk.believed
        if left:
            say_error(f"warning: {referral.peer} has left the register; it stands here, and reaches no one there")
        if json:
            say_json(referral_document(referral) | {"other_left": left})
        else:
            say(f"{referral.key.referral_id}  {move.verb}: {referral.status}")

    kinds: dict[str, tuple[Any, Any]] = {
        "referral_id": (ReferralArgument, inspect.Parameter.empty),
        "home": (HomeOption, inspect.Parameter.empty),
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
