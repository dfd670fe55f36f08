"""`agencies`: which agencies are heard, what they offer, and since when one is silent."""

from typing import Annotated, Any

import typer

from deploy.app.agency_client import AgencyClient
from deploy.app.commands.options import HomeOption, JsonOption, client_of
from deploy.app.output import local_time, say, say_all, say_error, say_json
from deploy.app.service.service_status import own_service
from deploy.app.views.text_layout import entries
from referral_bus.silence import Presence
from referral_bus.stages import OwnService


def agencies(
    home: HomeOption,
    for_me: Annotated[bool, typer.Option("--for-me", help="Only those that we may refer to now.")] = False,
    json: JsonOption = False,
) -> None:
    """The agencies: which are heard, what they offer and whether they have room, and since when one is silent."""
    client = client_of(home)
    shown = _may_refer_to if for_me else _has_inbox
    found = [each for each in client.agencies() if shown(client, each)]
    service = own_service(client.home)
    if json:
        heard = [each.heard_at for each in client.agencies() if each.heard_at is not None]
        known = {"own_service": service, "last_heard_at": max(heard, default=None)}
        say_json(known | {"agencies": [_document(client, each) for each in found]})
        return
    if service is not OwnService.WORKS:
        why = "is not running; start it with `referral-bus agency run`"
        why = why if service is OwnService.STOPPED else "does not reach Kafka or its inbox there"
        say_error(f"warning: our own service {why}: what is shown here of other agencies may be old")
    say_all(entries(f"{each.agency.code}  {_state(client, each)}  {_offers(client, each)}" for each in found))
    if not found:
        say("no agreement in force lets us refer to any agency")


def _has_inbox(client: AgencyClient, each: Presence) -> bool:
    return client.register.has_inbox(each.agency.code)


def _may_refer_to(client: AgencyClient, each: Presence) -> bool:
    """Whether we may refer to this agency now, by the rules of `publish`."""
    register, us, code = client.register, client.settings.agency, each.agency.code
    now = client.clock()
    allowed = code != us and each.agency.receives_referrals and not register.expired(now)
    return allowed and register.agreed(us, code, now)


def _state(client: AgencyClient, each: Presence) -> str:
    if each.agency.code == client.settings.agency:
        return "this agency"
    if each.heard_at is None:
        return "never heard"
    heard = local_time(each.heard_at, client.settings.time_zone)
    return f"SILENT since {heard}" if each.silent else f"there, last heard {heard}"


def _offers(client: AgencyClient, each: Presence) -> str:
    """The services that an agency announced, with their room; before its first announcement those of the register."""
    announcement = client.announced(each.agency.code)
    if announcement is None:
        return ", ".join(f"{name} (room not announced)" for name in each.agency.services) or "no services"
    rooms = {offer.service_type: offer.capacity for offer in announcement.services}
    return ", ".join(f"{name} ({room})" for name, room in rooms.items()) or "no services"


def _document(client: AgencyClient, each: Presence) -> dict[str, Any]:
    announcement = client.announced(each.agency.code)
    return {
        "agency": each.agency.code,
        "receives_referrals": each.agency.receives_referrals,
        "services": list(each.agency.services),
        "for_me": _may_refer_to(client, each),
        "capacity": {offer.service_type: offer.capacity for offer in announcement.services} if announcement else {},
        "heard_at": each.heard_at,
        "silent": each.silent and each.agency.code != client.settings.agency,
        "succeeded_by": each.agency.succeeded_by,
        "open_referrals": announcement.open_referrals if announcement else None,
        "overdue_referrals": announcement.overdue_referrals if announcement else None,
    }


def add_to(app: typer.Typer) -> None:
    app.command()(agencies)
