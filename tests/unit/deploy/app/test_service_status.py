"""`agency status`: whether a service holds the home's lock, and what it says of itself."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import CollectorRegistry

from deploy.app.service.health_http import health_server
from deploy.app.service.service_status import ServiceStatus, read_status, write_status
from referral_bus.home import Home, running
from tests.kit.command import Command
from tests.kit.people import RECIPIENT
from tests.kit.waiting import PATIENCE_S
from tests.unit.deploy.app.conftest import Federation

WELL = {"broker": True, "ledger": True}


@contextmanager
def serving(server: HTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)


@pytest.fixture
def home(federation: Federation) -> Home:
    return Home(federation.sender.home)


def test_a_service_that_does_not_run_is_said_not_to(home: Home, federation: Federation, command: Command) -> None:
    write_status(home, 1)  # what an earlier run has left
    assert read_status(home) == ServiceStatus(running=False, http_port=None, parts={})
    said = command(federation.sender, "agency", "status")
    assert (said.code, said.out) == (3, "not running; start it with: referral-bus agency run\n")


@pytest.mark.parametrize(
    ("parts", "code", "line"),
    [
        (WELL, 0, "running and ready\n"),
        (WELL | {"broker": False}, 3, "running, not ready: broker\n"),
        ({"broker": False, "ledger": False}, 3, "running, not ready: broker, ledger\n"),
    ],
)
def test_a_service_that_runs_tells_its_parts(
    parts: dict[str, bool], code: int, line: str, home: Home, federation: Federation, command: Command
) -> None:
    server = health_server(0, lambda: parts, CollectorRegistry(), lambda: None)
    with running(home), serving(server) as port:
        write_status(home, port)
        assert read_status(home) == ServiceStatus(True, port, parts)
        said = command(federation.sender, "agency", "status")
        assert (said.code, said.out) == (code, line)
        document = command(federation.sender, "agency", "status", "--json").document
        witnesses = document.pop("time_witnesses")
        assert document == {"running": True, "ready": code == 0, "http_port": port, "parts": parts, "cannot_send": []}
        assert witnesses["confirmed"]


def test_no_proxy_of_the_environment_is_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = health_server(0, lambda: WELL, CollectorRegistry(), lambda: None)
    with running(home), serving(server) as port:
        write_status(home, port)
        assert read_status(home).ready


def another_server(status: int, body: bytes) -> HTTPServer:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    return HTTPServer(("127.0.0.1", 0), Answering)


ANSWERS: list[tuple[int, bytes]] = [
    (200, b'{"title": "another service", "status": 200}'),
    (200, b"[true]"),
    (200, b"<html>"),
    (200, b"\xff\xfe"),
    (404, b'{"broker": true}'),
    (503, b"PLANTED-7731"),
    (500, b""),
]


@pytest.mark.parametrize(("status", "body"), ANSWERS, ids=range(len(ANSWERS)))
def test_whoever_else_answers_at_that_port_is_not_taken_for_ready(
    status: int, body: bytes, home: Home, federation: Federation, command: Command
) -> None:
    with running(home), serving(another_server(status, body)) as port:
        write_status(home, port)
        assert read_status(home) == ServiceStatus(True, port, {})
        said = command(federation.sender, "agency", "status")
        assert (said.code, said.out) == (3, "running, not ready: the health port\n")


def forgotten(home: Home) -> None:
    (home.folder / "run.json").unlink(missing_ok=True)


def cut_off(home: Home) -> None:
    (home.folder / "run.json").write_text('{"pid": 1, "http')


def a_list(home: Home) -> None:
    (home.folder / "run.json").write_text(json.dumps([1]))


def without_port(home: Home) -> None:
    (home.folder / "run.json").write_text(json.dumps({"pid": 1, "http_port": None}))


def dead(home: Home) -> None:
    write_status(home, 1)


@pytest.mark.parametrize("left", [forgotten, cut_off, a_list, without_port, dead])
def test_a_service_whose_port_is_not_known_or_dead_runs_and_is_not_ready(
    left: Callable[[Home], None], home: Home
) -> None:
    with running(home):
        left(home)
        status = read_status(home)
    assert status.running
    assert not status.ready


def test_looking_does_not_keep_a_service_from_starting(home: Home) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.002):
            read_status(home)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(10):
            with running(home):
                stop.wait(0.005)
    finally:
        stop.set()
        looker.join()


def test_what_cannot_be_sent_is_said_with_the_reason_and_who_mends_it(
    home: Home, federation: Federation, command: Command
) -> None:
    with closing(sqlite3.connect(home.folder / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute("UPDATE outbox SET state = 'sent', send_failure = 'too_large'")
    said = command(federation.sender, "agency", "status")
    assert said.out.splitlines()[1:] == [
        f"cannot send 1 event to {RECIPIENT}: the inbox of {RECIPIENT} takes no record of this size; "
        "the operators of the bus: mend its max.message.bytes with `register apply`"
    ]
    document = command(federation.sender, "agency", "status", "--json").document
    assert document["cannot_send"] == [{"to": RECIPIENT, "failure": "too_large", "events": 1, "receipts": 0}]


def test_that_too_few_agencies_confirm_the_time_is_said(home: Home, federation: Federation, command: Command) -> None:
    with closing(sqlite3.connect(home.folder / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute("DELETE FROM peers WHERE code <> ?", (RECIPIENT,))
    said = command(federation.sender, "agency", "status")
    assert said.out.splitlines()[1:] == [
        "the time is not confirmed (of 2 other agencies that must confirm it 1 heard): "
        "nothing that was kept long enough is erased; `agencies` lists which are silent"
    ]
    document = command(federation.sender, "agency", "status", "--json").document
    assert document["time_witnesses"] == {"heard": 1, "needed": 2, "confirmed": False}


def test_an_agency_that_has_no_register_yet_is_told_nothing_of_witnesses(
    home: Home, federation: Federation, command: Command
) -> None:
    shutil.rmtree(home.folder / "register")
    document = command(federation.sender, "agency", "status", "--json").document
    assert document["time_witnesses"] is None
