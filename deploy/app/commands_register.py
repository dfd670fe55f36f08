"""`register`: check a register, take it into a home, and make a Kafka cluster as it says."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.app.options import HomeOption, JsonOption
from deploy.app.output import say, say_all, say_json
from deploy.provision.lint import lint_register
from deploy.provision.topic_changes import Change, apply, difference
from deploy.provision.topic_report import as_lines, as_rows
from deploy.provision.topics import wanted_topics
from referral_bus.broker.kafka import Connection, KafkaTopicAdmin
from referral_bus.broker.protocols import TopicAdmin
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import Register, parse_register
from referral_bus.home import accept_register, known_services, open_home

register = typer.Typer(
    help="The register: who belongs, who may refer to whom.", no_args_is_help=True, rich_markup_mode=None
)

RegisterArgument = Annotated[Path, typer.Argument(metavar="REGISTER", help="The register file, register.yaml.")]
KafkaOption = Annotated[str, typer.Option("--kafka", help="host:port of the brokers, several with commas.")]


@register.command("accept")
def accept(
    file: RegisterArgument,
    signatures: Annotated[Path, typer.Argument(metavar="SIGNATURES", help="The stewards' signatures over it.")],
    home: HomeOption,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="For the first register: its SHA-256, as the stewards tell it.")
    ] = None,
) -> None:
    """Take a register into an agency's home, after checking who signed it."""
    taken = accept_register(open_home(home), read_file(file), read_file(signatures), system_clock(), sha256)
    say(f"version {taken.version} of {taken.federation} accepted")


@register.command("lint")
def lint(file: RegisterArgument) -> None:
    """Check a register, or a template of one without keys."""
    found = lint_register(file)
    say_all(found or ["no findings"])
    raise typer.Exit(2 if found else 0)


@register.command("plan")
def plan(file: RegisterArgument, kafka: KafkaOption, json: JsonOption = False) -> None:
    """Show what a Kafka cluster lacks of what the register says."""
    admin = KafkaTopicAdmin(Connection(kafka, "referral-bus-register"))
    try:
        _show(_difference(_parsed(file), admin), json)
    finally:
        admin.close()


@register.command("apply")
def make_so(file: RegisterArgument, kafka: KafkaOption, json: JsonOption = False) -> None:
    """Make a Kafka cluster as the register says. Deletes nothing; doing it again changes nothing."""
    admin = KafkaTopicAdmin(Connection(kafka, "referral-bus-register"))
    try:
        changes = _difference(_parsed(file), admin)
        left = apply(changes, admin)
        _show(changes, json)
    finally:
        admin.close()
    if left:
        raise typer.Exit(2)


def _difference(parsed: Register, admin: TopicAdmin) -> tuple[Change, ...]:
    return difference(wanted_topics(parsed), admin.live_topics(), parsed.content.cluster.topic_prefix)


def _show(changes: tuple[Change, ...], json: bool) -> None:
    if json:
        say_json(list(as_rows(changes)))
    else:
        say_all(as_lines(changes))


def _parsed(file: Path) -> Register:
    return parse_register(read_file(file), known_services())


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Refused(Reason.FILE_UNREADABLE, "there is no such readable file", path.name) from None


def add_to(app: typer.Typer) -> None:
    app.add_typer(register, name="register")
