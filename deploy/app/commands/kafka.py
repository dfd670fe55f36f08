"""`kafka`: starts and stops a real Apache Kafka on this machine, for trials and tests. Loopback only."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.app.commands.option_names import by_option_names
from deploy.app.commands.options import JsonOption
from deploy.app.output import already_done, answer, local_time, say, say_error, say_json

kafka = typer.Typer(help="A local Apache Kafka on loopback.", no_args_is_help=True, rich_markup_mode=None)

MAX_PORT = 65_533  # two more brokers take the next ones
DataOption = Annotated[Path, typer.Option("--data", help="The data folder.")]
OPTION_OF = {"port": "--port", "controller_port": "--controller-port", "brokers": "--brokers"}


@kafka.command("start")
def start_kafka(
    data: DataOption,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=1,
            max=MAX_PORT,
            help="Port for clients; more brokers take the next ones. Default: as before, or 9092.",
        ),
    ] = None,
    controller_port: Annotated[
        int | None,
        typer.Option(
            "--controller-port", min=1, max=MAX_PORT, help="Port among brokers. Default: as before, or 19092."
        ),
    ] = None,
    brokers: Annotated[int | None, typer.Option("--brokers", help="1 or 3. Default: as before, or 1.")] = None,
    min_free_mb: Annotated[int, typer.Option("--min-free-mb", help="Refuse to start with less free space.")] = 300,
    json: JsonOption = False,
) -> None:
    """Start Kafka on the ports of its last start, or say that it runs already. Downloads Kafka once, and checks the
    hash of each file."""
    from deploy.kafka.local import start
    from deploy.kafka.ports import plan_as_before

    with by_option_names(OPTION_OF):
        plan = plan_as_before(data, port, controller_port, brokers, min_free_mb)
    running = start(plan, say_error)
    says = f"Kafka {running.version} serves at {running.bootstrap}"
    with already_done(says):
        answer({"running": True, "version": running.version, "bootstrap": running.bootstrap}, [says], json)


@kafka.command("stop")
def stop_kafka(data: DataOption, json: JsonOption = False) -> None:
    """Stop Kafka; its data stay."""
    from deploy.kafka.local import stop

    stopped = stop(data)
    says = "Kafka stopped" if stopped else "no Kafka was running there"
    with already_done(says):
        answer({"stopped": stopped}, [says], json)


@kafka.command("status")
def kafka_status(data: DataOption, json: JsonOption = False) -> None:
    """Whether Kafka runs, where, and since when. Exit code 3 when it does not run."""
    from deploy.kafka.local import RunningKafka, status

    found = status(data)
    if isinstance(found, RunningKafka):
        if json:
            say_json({"running": True, "version": found.version, "bootstrap": found.bootstrap, "since": found.since})
        else:
            say(f"Kafka {found.version} runs at {found.bootstrap} since {local_time(found.since, 'Asia/Tashkent')}")
        return
    if json:
        say_json({"running": False, "version": found.version, "ended": found.ended})
    else:
        say(f"not running{f': {found.ended}' if found.ended else ''}")
    raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    app.add_typer(kafka, name="kafka")
