"""`agencies`: who is there, what they offer, since when they are silent."""

from typing import Any

import typer

from deploy.app.desk import Desk
from deploy.app.options import HomeOption, JsonOption, desk_of
from deploy.app.output import local_time, say, say_json
from referral_bus.silence import Presence


def agencies(home: HomeOption, json: JsonOption = False) -> None:
    """Who is there, what they offer, since when they are silent."""
    desk = desk_of(home)
    found = [each for each in desk.agencies() if desk.register.has_inbox(each.agency.code)]
    if json:
        say_json([_document(desk, each) for each in found])
        return
    wide = max(len(each.agency.code) for each in found)
    for each in found:
        say(f"{each.agency.code:<{wide}}  {_state(desk, each):<44}  {_offers(desk, each)}")


def _state(desk: Desk, each: Presence) -> str:
    if each.agency.code == desk.settings.agency:
        return "this agency"
    if each.heard_at is None:
        return "never heard"
    heard = local_time(each.heard_at, desk.settings.time_zone)
    return f"SILENT since {heard}" if each.silent else f"there, last heard {heard}"


def _offers(desk: Desk, each: Presence) -> str:
    """What it announced, with its room; before its first announcement what the register says."""
    announcement = desk.announced(each.agency.code)
    if announcement is None:
        return ", ".join(each.agency.services) or "no services"
    full = {offer.service_type: offer.capacity for offer in announcement.services}
    return ", ".join(f"{name}{'' if room == 'open' else f' ({room})'}" for name, room in full.items()) or "no services"


def _document(desk: Desk, each: Presence) -> dict[str, Any]:
    announcement = desk.announced(each.agency.code)
    return {
        "agency": each.agency.code,
        "receives_referrals": each.agency.receives_referrals,
        "services": list(each.agency.services),
        "capacity": {offer.service_type: offer.capacity for offer in announcement.services} if announcement else {},
        "heard_at": each.heard_at,
        "silent": each.silent and each.agency.code != desk.settings.agency,
        "succeeded_by": each.agency.succeeded_by,
        "open_referrals": announcement.open_referrals if announcement else None,
        "overdue_referrals": announcement.overdue_referrals if announcement else None,
    }


def add_to(app: typer.Typer) -> None:
    app.command()(agencies)
