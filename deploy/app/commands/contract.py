"""`codes`, `schemas`: the contract as this software knows it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from deploy.app.commands.options import JsonOption, read_file
from deploy.app.output import say, say_all, say_json
from deploy.app.views.text_layout import entries
from referral_bus.errors import Reason, Refused
from referral_bus.stages import ACTORS, STAGES
from schemas.code_lists import CODE_LISTS, load_code_list
from schemas.lint import lint
from schemas.outcomes import CODES
from schemas.schema_index import by_fingerprint

if TYPE_CHECKING:
    from schemas.evolution_advice import EvolutionFinding
    from schemas.releases import ReleaseFinding
    from schemas.schema_shape import Shape

_KEYS = ("file", "path", "kind", "advice")


def codes(
    name: Annotated[str | None, typer.Argument(metavar="LIST", help="A code list; without it, all lists.")] = None,
    json: JsonOption = False,
) -> None:
    """The code lists, or the codes of one; `codes refusals` lists why a recipient may refuse an event, `codes stages`
    and `codes actors` where a referral can be and who can have to act."""
    own: dict[str, Callable[[], list[_Row]]] = {"refusals": _refusals, "stages": _stages, "actors": _actors}
    if name is None:
        lists = [*CODE_LISTS, *own]
        if json:
            say_json(lists)
        else:
            say_all(lists)
        return
    if name not in (*CODE_LISTS, *own):
        raise Refused(Reason.CODE_UNKNOWN, "there is no such list; `referral-bus codes` names them", "LIST")
    rows = own[name]() if name in own else [(e.code, e.en, e.meaning) for e in load_code_list(name).codes]
    if json:
        say_json([{"code": code, "label": label, "meaning": meaning} for code, label, meaning in rows])
        return
    wide = max(len(code) for code, _, _ in rows)
    say_all(entries((f"{code:<{wide}}  {label}: {meaning}" for code, label, meaning in rows), wide + 2))


_Row = tuple[str, str, str]  # code, label, meaning


def _refusals() -> list[_Row]:
    return [(code.value, f"{rule.outcome or 'no receipt'}; {rule.who_acts}", rule.when) for code, rule in CODES.items()]


def _stages() -> list[_Row]:
    return _labelled(STAGES)


def _actors() -> list[_Row]:
    return _labelled(ACTORS)


def _labelled(meanings: Mapping[Any, str]) -> list[_Row]:
    return [(code.value, code.value.replace("-", " "), meaning) for code, meaning in meanings.items()]


schemas = typer.Typer(
    help="The schemas: what travels, and whether a new version fits the released ones.", rich_markup_mode=None
)

OldArgument = Annotated[Path | None, typer.Argument(metavar="OLD", help="A schema file, RECORD.vN.avsc.")]
NewArgument = Annotated[Path | None, typer.Argument(metavar="NEW", help="Its next version.")]


@schemas.callback(invoke_without_command=True)
def of_schemas(context: typer.Context, json: JsonOption = False) -> None:
    """The schemas that this software writes and reads; without a command, a list of them."""
    if context.invoked_subcommand is None:
        list_schemas(json)
    elif json:
        raise Refused(Reason.VALUE_REFUSED, "put --json behind the command", "--json")


@schemas.command("list")
def list_schemas(json: JsonOption = False) -> None:
    """The schemas that this software writes and reads, with their fingerprints."""
    known = sorted(by_fingerprint().values(), key=lambda schema: (schema.record, schema.version))
    if json:
        say_json([{"record": s.record, "version": s.version, "fingerprint": s.fingerprint.hex()} for s in known])
        return
    for schema in known:
        say(f"{schema.record:<20} v{schema.version}  {schema.fingerprint.hex()}")


@schemas.command("json")
def json_schema() -> None:
    """The JSON Schema of what `publish FILE` reads. What needs more than one field, a clock or the register to judge is
    not in it."""
    from schemas.referral_request import json_schema

    say_json(json_schema())


@schemas.command("lint")
def lint_schemas(json: JsonOption = False) -> None:
    """Check the rules for every schema, code list and example."""
    found = lint()
    _end(found, found, json)


@schemas.command("check")
def check(
    old: OldArgument = None,
    new: NewArgument = None,
    release: Annotated[bool, typer.Option("--release", help="As for a release: nothing may be a draft.")] = False,
    json: JsonOption = False,
) -> None:
    """Check that a version can stand beside an older one; without files, what we ship beside all that is released."""
    from schemas.evolution import evolution_findings
    from schemas.releases import anything_released, shipped_findings

    found: Sequence[EvolutionFinding | ReleaseFinding]
    if old is None:
        found = shipped_findings(release)
    elif new is None:
        raise Refused(Reason.FIELD_MISSING, "name both files, OLD and NEW, or none", "NEW")
    elif release:
        raise Refused(Reason.VALUE_REFUSED, "--release checks all that we ship: name no files", "--release")
    else:
        found = evolution_findings(_schema(old, "OLD")[0], _schema(new, "NEW")[0])
    rows = [{key: getattr(each, key) for key in _KEYS if hasattr(each, key)} for each in found]
    _end([str(each) for each in found], rows, json, "" if old or anything_released() else "; nothing is released yet")


@schemas.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A schema file, RECORD.vN.avsc.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Its next version.")],
    json: JsonOption = False,
) -> None:
    """Show what differs between two versions: + added, - removed, ~ changed."""
    from schemas.schema_changes import changes, drawn, texts

    found = changes(_schema(old, "OLD")[1], _schema(new, "NEW")[1])
    if json:
        sides = [(each, *texts(each)) for each in found]
        say_json(
            [{"path": each.path, "what": each.aspect, "old": before, "new": after} for each, before, after in sides]
        )
    else:
        say_all([drawn(each) for each in found] or ["no differences"])


def _schema(file: Path, argument: str) -> "tuple[Any, Shape]":
    from schemas.schema_shape import NotASchema, SchemaNotJson, parse_avsc

    try:
        return parse_avsc(read_file(file, argument))
    except SchemaNotJson:
        raise Refused(Reason.NOT_JSON, "a schema file is JSON", argument) from None
    except NotASchema as error:
        raise Refused(Reason.VALUE_REFUSED, f"no schema: {error}", argument) from None


def _end(lines: Sequence[str], rows: Sequence[object], json: bool, besides: str = "") -> NoReturn:
    """Shows the findings and ends the command: exit code 2 if there is any, else 0."""
    if json:
        say_json(rows)
    else:
        say_all(lines or [f"no findings{besides}"])
    raise typer.Exit(2 if lines else 0)


def add_to(app: typer.Typer) -> None:
    app.command()(codes)
    app.add_typer(schemas, name="schemas")
