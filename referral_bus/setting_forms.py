"""Error lines about settings: what each setting accepts, and which one is missing, wrong or misspelt. No line holds a
value."""

import os
from collections.abc import Collection
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

from referral_bus.errors import Reason, Refused
from schemas.problems import problems

WHERE = "see the settings in docs/integrate.md"
_FORMS = {
    "agency": "the agency's code in the register, as in family-women",
    "federation": "the federation's id, in lower case, as in example-federation",
    "kafka": "host:port, several with commas, each port from 1 to 65535",
    "producer": "true or false",
    "consumer": "true or false",
    "handler": "module:factory, as in our_system.handler:make",
    "webhook_url": "an https address, or http on this machine, without a user and a fragment",
    "time_zone": "the name of a time zone, as in Asia/Tashkent",
}


def form_of_setting(model: type[BaseModel], name: str) -> str:
    """The values that a setting accepts, as in "a whole number from 0 to 65535"."""
    if name in _FORMS:
        return _FORMS[name]
    field = model.model_fields[name]
    kind = "a whole number" if field.annotation is int else "a number"
    limits = {
        each: getattr(bound, each) for bound in field.metadata for each in ("ge", "gt", "le") if hasattr(bound, each)
    }
    low = f"from {limits['ge']} to" if "ge" in limits else f"above {limits['gt']} and up to"
    return f"{kind} {low} {limits['le']}"


def place_of_setting(name: str, prefix: str, else_at: str) -> str:
    """The environment variable that sets `name`, as it is spelt there; `else_at` where there is none."""
    variable = f"{prefix}{name}".upper()
    return next((each for each in os.environ if each.upper() == variable), else_at)


def refused_setting(
    error: ValidationError, model: type[BaseModel], prefix: str, file: str, option: str = ""
) -> Refused:
    """The error for the first wrong setting: its variable or name, and the values that it accepts. `option` is what to
    put before the name of a setting that is given as an option, as in "--"."""
    first = problems(error)[0]
    name = first.path.partition(".")[0].partition("[")[0]
    if name not in model.model_fields:
        return Refused(Reason.SETTINGS_INVALID, f"this does not have the form of settings; {WHERE}", name or file)
    what = "is missing" if first.kind == "missing" else "is not of the form it must have"
    unseen = f"{first.form}; " if "U+" in first.form else ""
    advice = f"this setting {what}; accepted: {unseen}{form_of_setting(model, name)}"
    return Refused(Reason.SETTINGS_INVALID, advice, place_of_setting(name, prefix, option + name))


def no_such(what: str, name: str, known: Collection[str], prefix: str = "") -> str:
    """Advice about an unknown name: the known name most like it, or where to look. `prefix` is the common beginning of
    all known names."""
    ends = sorted(each.removeprefix(prefix) for each in known)
    nearest = get_close_matches(name.removeprefix(prefix), ends, 1, 0.75)
    return f"there is no such {what}; {f'is {prefix}{nearest[0]} meant?' if nearest else WHERE}"
