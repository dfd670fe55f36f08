"""`dead-letters`: lists what could not be taken in or handed over, and retries or discards it."""

from typing import Annotated
from uuid import uuid4

import typer
from pydantic import TypeAdapter, ValidationError

from consumers.agency import dead_letters as use
from consumers.agency.dead_letters import Done
from consumers.agency.verdicts import IngestContext
from deploy.app.agency_client import AgencyClient
from deploy.app.commands.given_texts import from_files
from deploy.app.commands.options import HomeOption, JsonOption, client_of
from deploy.app.commands.unsent_warning import leaving_document, warn_if_nothing_leaves
from deploy.app.output import already_done, answer, say, say_all, say_json
from deploy.app.views.dead_letter_views import (
    done_document,
    done_line,
    group_document,
    group_line,
    letter_document,
    letter_line,
    letter_lines,
)
from deploy.app.views.list_views import left_out, page_document
from deploy.app.views.text_layout import entries
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import dead_letter_lists
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter
from schemas.outcomes import Code
from schemas.problems import problems
from schemas.text import line, tidy

dead_letters = typer.Typer(
    help="What could not be taken in or handed over.", no_args_is_help=True, rich_markup_mode=None
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, max=2**63 - 1, help="The dead letter's number.")]
Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="NUMBER", min=1, max=2**63 - 1, help="Dead letters by their numbers.")
]
CodeOption = Annotated[Code | None, typer.Option("--code", help="Those with this code.")]
FromOption = Annotated[str | None, typer.Option("--from-agency", metavar="AGENCY", help="Those of this agency.")]
ReasonFile = Annotated[
    str | None,
    typer.Option("--reason-file", metavar="FILE", help="The reason, from a file; - is standard input."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list the dead letters that would be changed.")]


@dead_letters.command("list")
def list_(
    home: HomeOption,
    code: CodeOption = None,
    from_agency: FromOption = None,
    each: Annotated[bool, typer.Option("--each", help="One line for each dead letter, not for each reason.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="Maximum number of rows.")] = 100,
    json: JsonOption = False,
) -> None:
    """Dead letters by reason and agency, the oldest first, with who must act. Discarded ones are listed only with
    --code."""
    client, choice = client_of(home), Choice(code=code, writer=from_agency)
    zone = client.settings.time_zone
    with client.ledger.read() as tx:
        letters = dead_letter_lists.chosen(tx, choice, most) if each else []
        groups = dead_letter_lists.groups(tx, choice)
    total, groups = (sum(group.count for group in groups), []) if each else (len(groups), groups[:most])
    if json:
        documents = [letter_document(letter) for letter in letters] + [group_document(group) for group in groups]
        say_json(page_document("dead_letters", documents, total))
        return
    lines = [*(letter_line(letter, zone) for letter in letters), *(group_line(group, zone) for group in groups)]
    say_all([*entries(lines), *left_out(len(lines), total)] or ["no dead letters"])


@dead_letters.command("show")
def show(number: Number, home: HomeOption, json: JsonOption = False) -> None:
    """One dead letter: its reason, place and times, and the clear part of its event. Never the sealed part."""
    client = client_of(home)
    with client.ledger.read() as tx:
        found = dead_letter_lists.chosen(tx, Choice((number,)), 1)
        if not found:
            raise Refused(
                Reason.DEAD_LETTER_UNKNOWN, "there is no such dead letter; see `referral-bus dead-letters list`"
            )
        clear, reason = dead_letter_lists.clear_part(tx, found[0]), dead_letter_lists.reason(tx, found[0])
    if json:
        say_json(letter_document(found[0]) | {"event": clear, "reason": reason})
    else:
        say_all(letter_lines(found[0], clear, reason, client.settings.time_zone))


@dead_letters.command("retry")
def retry(
    home: HomeOption,
    numbers: Numbers = None,
    code: CodeOption = None,
    from_agency: FromOption = None,
    dry_run: DryRun = False,
    json: JsonOption = False,
) -> None:
    """Try again: a held event is judged from the first check, an event whose hand-over was given up is handed over
    again."""
    client = client_of(home)
    letters = use.waiting(client.ledger, Choice(tuple(numbers or ()), code, from_agency))
    if dry_run:
        _say_meant(client, letters, "would be retried", json)
        return
    _say_done(client, "retried", use.retry(client.ledger, letters, _context(client), client.writing().by), json)


@dead_letters.command("discard")
def discard(
    home: HomeOption,
    numbers: Numbers = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="The reason; stays here, encrypted.")
    ] = None,
    reason_file: ReasonFile = None,
    code: CodeOption = None,
    from_agency: FromOption = None,
    dry_run: DryRun = False,
    json: JsonOption = False,
) -> None:
    """Discard dead letters, for good. The writer of a held event is told that it is refused. An event whose hand-over
    was given up counts as handed over; a referral that our staff have not seen yet is answered as rejected."""
    why = _checked_reason(reason, reason_file)
    client = client_of(home)
    letters = use.waiting(client.ledger, Choice(tuple(numbers or ()), code, from_agency))
    use.check_discardable(letters)
    if dry_run:
        _say_meant(client, letters, "would be discarded", json)
        return
    _say_done(
        client, "discarded", use.discard(client.ledger, letters, why, _context(client), client.writing().by), json
    )


def _checked_reason(reason: str | None, reason_file: str | None) -> str:
    text = from_files({"reason": reason, "reason_file": reason_file})["reason"]
    if text is None:
        raise Refused(Reason.FIELD_MISSING, "give the reason", "--reason")
    text = tidy(str(text))
    try:
        TypeAdapter(Annotated[str, line(500)]).validate_python(text)
    except ValidationError as error:
        problem = problems(error)[0]
        kind = Reason.TOO_LARGE if problem.kind == "too_long" else Reason.VALUE_REFUSED
        advice = f"give a reason of one line, 1 to 500 characters; accepted: {problem.form}"
        raise Refused(kind, advice, "--reason") from None
    return text


def _context(client: AgencyClient) -> IngestContext:
    return IngestContext(client.settings.agency, client.register, client.keyring.find_sealing, uuid4, client.clock())


def _say_meant(client: AgencyClient, letters: list[DeadLetter], what: str, json: bool) -> None:
    if json:
        say_json([letter_document(letter) for letter in letters])
        return
    say_all(entries(letter_line(letter, client.settings.time_zone) for letter in letters))
    say(f"{len(letters)} {what}; nothing was changed")


def _say_done(client: AgencyClient, what: str, done: list[Done], json: bool) -> None:
    with already_done(f"{what}: {', '.join(str(each.letter.number) for each in done)}"):
        leaving = leaving_document(client)
        answer([done_document(each) | leaving for each in done], list(entries(done_line(each) for each in done)), json)
        warn_if_nothing_leaves(client, json)


def add_to(app: typer.Typer) -> None:
    app.add_typer(dead_letters, name="dead-letters")
