"""`publish`: start referrals."""

import sys
from typing import Annotated

import typer

from deploy.app.options import HomeOption, JsonOption, desk_of
from deploy.app.output import local_time, say, say_error, say_json
from producers.request_file import read_requests
from referral_bus.errors import Reason, Refused


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One referral as JSON, or a list; - is standard input.")],
    home: HomeOption,
    json: JsonOption = False,
) -> None:
    """Start one referral, or a list of them: all or none."""
    requests = read_requests(file, sys.stdin.buffer)
    desk = desk_of(home)
    if not desk.settings.producer:
        raise Refused(Reason.STARTS_NO_REFERRALS, "this service's intake is off; set producer = true", "producer")
    published = desk.publish(requests)
    for silent in desk.silent({request.recipient for request in requests}):
        since = f"since {local_time(silent.heard_at, desk.settings.time_zone)}" if silent.heard_at else "so far"
        say_error(f"warning: {silent.agency.code} has been silent {since}; it is sent all the same, and waits for them")
    if json:
        say_json([{"referral_id": each.referral_id, "again": each.again} for each in published])
        return
    for request, each in zip(requests, published, strict=True):
        was = "was published before" if each.again else "published"
        say(f"{each.referral_id}  {was}, to {request.recipient}, {request.priority}")


def add_to(app: typer.Typer) -> None:
    app.command("publish")(publish)
