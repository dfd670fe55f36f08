"""`publish`: starts referrals from a file."""

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from deploy.app.agency_client import AgencyClient
from deploy.app.commands.example_request import example_request
from deploy.app.commands.options import AgainOption, HomeOption, JsonOption, client_of
from deploy.app.commands.unsent_warning import warn_if_nothing_leaves
from deploy.app.output import already_done, local_time, say, say_error, say_json
from deploy.app.service.service_status import own_service
from producers.publish import Published, judge_in_part
from producers.request_file import Judge, read_requests
from referral_bus.clock import system_clock
from referral_bus.errors import BusError, Reason, Refused
from referral_bus.federation.register import Register
from referral_bus.ledger.repeated_requests import Repeat
from referral_bus.stages import OwnService
from schemas.referral_request import ReferralRequest

SECOND_TRY = "the same was published a few minutes ago, so nothing was published now; add --again to publish it anew"


def publish(
    home: HomeOption,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="One referral as JSON, or a list; - is standard input.")
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", metavar="SERVICE", help="Only print a synthetic request for this.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="AGENCY", help="Recipient of the example.")] = None,
    again: AgainOption = False,
    json: JsonOption = False,
) -> None:
    """Start one referral, or a list of them: all or none. The very same file within ten minutes counts as a second try
    and gets the first answer, unless --again is given."""
    if example is not None and file is None:
        _say_example(home, example, to)
        return
    if file is None or example is not None or to is not None:
        raise Refused(Reason.FIELD_MISSING, "name a file, or --example (and with it --to)", "FILE")
    requests = read_requests(file, lambda: sys.stdin.buffer, _judge(home))
    client = client_of(home)
    if not client.settings.producer:
        raise Refused(Reason.STARTS_NO_REFERRALS, "this service's intake is off; set producer = true", "producer")
    published = client.publish(requests, repeat=Repeat.IS_MEANT if again else Repeat.IS_NOTICED)
    with already_done(f"published {', '.join(str(each.referral_id) for each in published)}"):
        _answer(client, requests, published, json)


def _judge(home: Path) -> Judge:
    """A judge by the home's register and our clock. It finds nothing where the home cannot be read: the command reports
    that afterwards."""

    @cache
    def known() -> tuple[Register, str] | None:
        try:
            client = client_of(home)
            return client.register, client.settings.agency
        except BusError:
            return None

    def judge(part: ReferralRequest, at: str) -> Iterable[Refused]:
        found = known()
        return () if found is None else judge_in_part(*found, part, system_clock(), at)

    return judge


def _say_example(home: Path, service: str, to: str | None) -> None:
    client = client_of(home)
    say_json(example_request(client.register, client.settings.agency, service, to, client.clock(), uuid4()))


def _answer(client: AgencyClient, requests: Sequence[ReferralRequest], published: list[Published], json: bool) -> None:
    service = own_service(client.home)
    silent = {each.agency.code: each for each in client.silent({request.recipient for request in requests})}
    if json:
        pairs = zip(requests, published, strict=True)
        say_json([_document(each, service, silent=request.recipient in silent) for request, each in pairs])
        return
    warn_if_nothing_leaves(client)
    if any(each.again and request.idempotency_key is None for request, each in zip(requests, published, strict=True)):
        say_error(f"warning: {SECOND_TRY}")
    for code, one in silent.items():
        since = f"since {local_time(one.heard_at, client.settings.time_zone)}" if one.heard_at else "so far"
        say_error(f"warning: {code} has been silent {since}; the referral is sent anyway, and waits for its service")
    for request, each in zip(requests, published, strict=True):
        if each.open_already:
            ids = ", ".join(map(str, each.open_already))
            say_error(f"warning: a referral of the same person to {request.recipient} is open already: {ids}")
        was = "was published before" if each.again else "published"
        say(f"{each.referral_id}  {was}, to {request.recipient}, {request.priority}")


def _document(published: Published, service: OwnService, *, silent: bool) -> dict[str, Any]:
    return {
        "referral_id": published.referral_id,
        "again": published.again,
        "recipient_silent": silent,
        "own_service": service,
        "open_already": list(published.open_already),
    }


def add_to(app: typer.Typer) -> None:
    app.command("publish")(publish)
