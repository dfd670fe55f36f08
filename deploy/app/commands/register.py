"""`register`: checks a register, accepts it into a home, and makes the topics of a Kafka cluster as it says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.app.commands import steward
from deploy.app.commands.options import (
    HomeOption,
    JsonOption,
    KafkaOption,
    RegisterArgument,
    Sha256Option,
    SignaturesArgument,
    answer_accepted,
    read_file,
)
from deploy.app.output import already_done, answer, say_all, say_json
from referral_bus.clock import system_clock
from referral_bus.federation.register import Register, parse_register, read_register
from referral_bus.home import accept_register, known_services, open_home

if TYPE_CHECKING:
    from deploy.provision.topic_changes import Change
    from referral_bus.broker.protocols import TopicAdmin

register = typer.Typer(
    help="The register: the agencies, and which may refer to which.", no_args_is_help=True, rich_markup_mode=None
)


@register.command("accept")
def accept(
    file: RegisterArgument,
    signatures: SignaturesArgument,
    home: HomeOption,
    sha256: Sha256Option = None,
    json: JsonOption = False,
) -> None:
    """Accept a register into an agency's home after checking its signatures."""
    given = read_file(file), read_file(signatures, "SIGNATURES")
    taken = accept_register(open_home(home), *given, system_clock(), sha256)
    answer_accepted(taken, json)


@register.command("lint")
def lint(
    file: RegisterArgument,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="OLD", help="The version before: list what this one cuts off.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a register, or a template of one without keys. Exit code 2 for an error, 0 for advice only, which includes
    what the version cuts off."""
    from deploy.provision.cut_off import cut_off
    from deploy.provision.lint import Level, RegisterFinding, lint_register

    found = lint_register(file)
    if against is not None:
        old, new = read_register(read_file(against, "--against")), read_register(read_file(file))
        found = [*(RegisterFinding(Level.ADVICE, line) for line in cut_off(old, new)), *found]
    rows = [{"level": each.level, "text": each.text} for each in found]
    answer(rows, [str(each) for each in found] or ["no findings"], json)
    raise typer.Exit(2 if any(each.level is Level.ERROR for each in found) else 0)


@register.command("plan")
def plan(file: RegisterArgument, kafka: KafkaOption, json: JsonOption = False) -> None:
    """Show how the topics of a Kafka cluster differ from what the register says."""
    with _topic_admin(kafka) as admin:
        _show(_difference(_parsed(file), admin), json)


@register.command("apply")
def make_so(file: RegisterArgument, kafka: KafkaOption, json: JsonOption = False) -> None:
    """Make the topics of a Kafka cluster as the register says. Deletes nothing; doing it again changes nothing."""
    from deploy.provision.topic_changes import apply

    with _topic_admin(kafka) as admin:
        changes = _difference(_parsed(file), admin)
        left = apply(changes, admin)
        with already_done("the topics are as the register says, except for what a person must change"):
            _show(changes, json)
    if left:
        raise typer.Exit(2)


@contextmanager
def _topic_admin(kafka: str) -> Iterator["TopicAdmin"]:
    from referral_bus.broker.kafka import Connection, KafkaTopicAdmin

    admin = KafkaTopicAdmin(Connection(kafka, "referral-bus-register"))
    try:
        yield admin
    finally:
        admin.close()


def _difference(parsed: Register, admin: "TopicAdmin") -> tuple["Change", ...]:
    from deploy.provision.topic_changes import difference
    from deploy.provision.topics import wanted_topics

    return difference(wanted_topics(parsed), admin.live_topics(), parsed.content.cluster.topic_prefix)


def _show(changes: Sequence["Change"], json: bool) -> None:
    from deploy.provision.topic_report import as_lines, as_rows

    if json:
        say_json(list(as_rows(changes)))
    else:
        say_all(as_lines(changes))


def _parsed(file: Path) -> Register:
    return parse_register(read_file(file), known_services())


def add_to(app: typer.Typer) -> None:
    steward.add_to(register)
    app.add_typer(register, name="register")
