"""`codes`, `schemas`: the contract as this software knows it."""

from typing import Annotated

import typer

from deploy.app.options import JsonOption
from deploy.app.output import say, say_all, say_json
from referral_bus.errors import Reason, Refused
from schemas.code_lists import CODE_LISTS, load_code_list
from schemas.lint import lint
from schemas.outcomes import CODES
from schemas.schema_index import by_fingerprint


def codes(
    name: Annotated[str | None, typer.Argument(metavar="LIST", help="A code list; without it, all lists.")] = None,
    json: JsonOption = False,
) -> None:
    """The code lists, or the codes of one; `codes refusals` lists why a recipient may refuse an event."""
    if name is None:
        lists = [*CODE_LISTS, "refusals"]
        if json:
            say_json(lists)
        else:
            say_all(lists)
        return
    if name not in (*CODE_LISTS, "refusals"):
        raise Refused(Reason.CODE_UNKNOWN, "there is no such list; `referral-bus codes` names them", "LIST")
    rows = _refusals() if name == "refusals" else [(e.code, e.en, e.meaning) for e in load_code_list(name).codes]
    if json:
        say_json([{"code": code, "label": label, "meaning": meaning} for code, label, meaning in rows])
        return
    wide = max(len(code) for code, _, _ in rows)
    for code, label, meaning in rows:
        say(f"{code:<{wide}}  {label}: {meaning}")


def _refusals() -> list[tuple[str, str, str]]:
    return [(code.value, f"{rule.outcome or 'no receipt'}; {rule.who_acts}", rule.when) for code, rule in CODES.items()]


def schemas(
    action: Annotated[
        str, typer.Argument(metavar="[list|lint]", help="List the schemas, or check their rules.")
    ] = "list",
    json: JsonOption = False,
) -> None:
    """The schemas that this software writes and reads, with their fingerprints."""
    if action == "lint":
        found = lint()
        if json:
            say_json(found)
        else:
            say_all(found or ["no findings"])
        raise typer.Exit(2 if found else 0)
    if action != "list":
        raise Refused(Reason.VALUE_REFUSED, "say list or lint", "schemas")
    known = sorted(by_fingerprint().values(), key=lambda schema: (schema.record, schema.version))
    if json:
        say_json([{"record": s.record, "version": s.version, "fingerprint": s.fingerprint.hex()} for s in known])
        return
    for schema in known:
        say(f"{schema.record:<20} v{schema.version}  {schema.fingerprint.hex()}")


def add_to(app: typer.Typer) -> None:
    app.command()(codes)
    app.command()(schemas)
