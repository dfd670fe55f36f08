"""`monitor`: sets up the operators' flow monitor, runs it, and shows its overview."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.app.commands.options import (
    JsonOption,
    RegisterArgument,
    Sha256Option,
    SignaturesArgument,
    answer_accepted,
    read_file,
)
from deploy.app.output import already_done, answer, say_json
from deploy.app.views.text_layout import list_width
from referral_bus.clock import system_clock

if TYPE_CHECKING:
    from consumers.monitor.home import MonitorHome
    from consumers.monitor.overview import Overview
    from deploy.app.service.monitor_service import Sources
    from referral_bus.federation.register import Register

monitor = typer.Typer(
    help="The operators' flow monitor: it sees which agency owes an answer, and can open no sealed content.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MonitorHomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="REFERRAL_BUS_MONITOR_HOME",
        help="The monitor's home folder.",
        show_envvar=True,
        readable=False,
    ),
]
REDRAW_S = 2.0
NOT_A_TERMINAL = 160  # columns of the page where no terminal sets its width


@monitor.command("init")
def init(
    home: MonitorHomeOption,
    federation: Annotated[str, typer.Option("--federation", help="The federation's id.")],
    kafka: Annotated[str, typer.Option("--kafka", help="host:port of the brokers, several with commas.")],
    json: JsonOption = False,
) -> None:
    """Make a home folder: settings only; a monitor has no keys."""
    from consumers.monitor.home import create_monitor_home
    from consumers.monitor.settings import new_settings

    create_monitor_home(home, new_settings(federation, kafka))
    says = f"home of a monitor of {federation}"
    with already_done(says):
        then = "Now take the register that the stewards have signed: referral-bus monitor accept"
        answer({"federation": federation}, [says, then], json)


@monitor.command("accept")
def accept(
    file: RegisterArgument,
    signatures: SignaturesArgument,
    home: MonitorHomeOption,
    sha256: Sha256Option = None,
    json: JsonOption = False,
) -> None:
    """Accept a register after checking its signatures. A running monitor uses it at once."""
    from consumers.monitor.home import accept_register, open_monitor_home

    given = read_file(file), read_file(signatures, "SIGNATURES")
    opened = open_monitor_home(home)
    taken = accept_register(opened, *given, system_clock(), sha256)
    answer_accepted(taken, json)


@monitor.command("run")
def run(home: MonitorHomeOption) -> None:
    """Run the monitor until SIGTERM or Ctrl-C. Logs are JSON lines on standard error."""
    from consumers.monitor.home import open_monitor_home
    from deploy.app.service.foreign_words import only_our_words
    from deploy.app.service.monitor_service import run_monitor
    from deploy.app.service.shutdown import STUCK
    from referral_bus.logs import make_log

    opened = open_monitor_home(home)
    with only_our_words(lambda stream: make_log(stream, service="monitor")) as log:
        finished = run_monitor(opened, lambda kafka: _connect(kafka, opened.unpacking), log)
    if not finished:
        os._exit(STUCK)  # a thread hangs in a library; the database holds what was read, or it is read again


@monitor.command("status")
def status(
    home: MonitorHomeOption,
    json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C; with --json a document a line.")
    ] = False,
) -> None:
    """What needs a person now, the agencies, the flows, and what waits. Exit code 3 when this is old, the monitor does
    not run, or Kafka does not answer."""
    from consumers.monitor.home import open_monitor_home

    opened = open_monitor_home(home)
    if watch:
        _watch(opened, json)
        return
    seen, register, running = _seen(opened)
    if json:
        from deploy.app.views.monitor_views import document

        say_json(document(seen, running))
    else:
        from rich.console import Console

        from deploy.app.views.monitor_views import drawing

        Console(width=list_width() or NOT_A_TERMINAL).print(
            drawing(seen, register, running, opened.settings().time_zone)
        )
    raise typer.Exit(0 if running and seen.kafka_answers and not seen.stale else 3)


def _watch(home: "MonitorHome", json: bool) -> None:
    try:
        _say_lines(home) if json else _draw(home)
    except KeyboardInterrupt:  # the normal end
        return


def _say_lines(home: "MonitorHome") -> None:
    """Prints one JSON document a line, for a program that keeps reading."""
    from deploy.app.views.monitor_views import document

    while True:
        seen, _, running = _seen(home)
        say_json(document(seen, running), one_line=True)
        sys.stdout.flush()
        time.sleep(REDRAW_S)


def _draw(home: "MonitorHome") -> None:
    from rich.live import Live

    from deploy.app.views.monitor_views import drawing

    zone = home.settings().time_zone
    with Live(auto_refresh=False, screen=sys.stdout.isatty(), vertical_overflow="crop") as live:
        while True:
            seen, register, running = _seen(home)
            live.update(drawing(seen, register, running, zone), refresh=True)
            time.sleep(REDRAW_S)


def _seen(home: "MonitorHome") -> "tuple[Overview, Register, bool]":
    """The overview from the database, which can be read whether the monitor runs or not; the register; and whether the
    monitor runs. Whether Kafka answers is what a running monitor says."""
    from consumers.monitor.overview import overview
    from deploy.app.service.service_status import read_status
    from referral_bus.home import Home

    now, settings = system_clock(), home.settings()
    register, service = home.register(now), read_status(Home(home.folder))
    store = home.open_store(settings.federation, now)
    try:
        with store.read() as tx:
            seen = overview(tx, register, now, settings.heartbeat_every, service.parts.get("broker", True))
    finally:
        store.close()
    return seen, register, service.running


def _connect(kafka: str, file: Path) -> "Sources":
    from deploy.app.service.monitor_service import Sources
    from referral_bus.broker.kafka import Connection, KafkaBroker, Unpacking
    from referral_bus.broker.kafka.lag import KafkaLag

    name = "referral-bus-monitor"
    unpacking = Unpacking(file)
    lag = KafkaLag(Connection(kafka, name), unpacking=unpacking)
    return Sources(KafkaBroker(kafka, name, unpacking=unpacking), lag)


def add_to(app: typer.Typer) -> None:
    app.add_typer(monitor, name="monitor")
