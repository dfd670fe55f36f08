"""Health and metrics on loopback: what they answer, and what they do not."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Gauge

from deploy.app.service.health_http import HttpLimits, health_server, serve
from referral_bus.errors import Reason, Refused
from tests.kit.command import PLANTED
from tests.kit.waiting import PATIENCE_S


@dataclass
class Answer:
    status: int
    kind: str
    body: str
    headers: dict[str, str]


@dataclass
class Health:
    """A server on a free port, and what its parts say."""

    port: int = 0
    parts: dict[str, bool] = field(default_factory=lambda: {"broker": True, "ledger": True})
    refresh: Callable[[], None] = lambda: None

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            given = dict(answer.getheaders())
            return Answer(answer.status, given.get("Content-Type", ""), answer.read().decode(), given)
        finally:
            connection.close()

    def send(self, raw: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def limits() -> HttpLimits:
    return HttpLimits()


@pytest.fixture
def health(limits: HttpLimits) -> Iterator[Health]:
    made = Health()
    registry = CollectorRegistry()
    Gauge("referralbus_test", "For a test.", registry=registry).set(7)
    server = health_server(0, lambda: made.parts, registry, lambda: made.refresh(), limits)
    made.port = server.server_port
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(server, stop, lambda: None))
    thread.start()
    yield made
    stop.set()
    thread.join(PATIENCE_S)
    server.server_close()
    assert not thread.is_alive()


def test_healthz_says_that_the_process_answers(health: Health) -> None:
    answer = health.ask("/healthz")
    assert (answer.status, answer.kind, json.loads(answer.body)) == (200, "application/json", {"healthy": True})


def test_readyz_is_200_when_every_part_is_well_and_503_naming_the_one_that_is_not(health: Health) -> None:
    assert (health.ask("/readyz").status, json.loads(health.ask("/readyz").body)) == (200, health.parts)
    health.parts = {"broker": False, "ledger": True}
    assert (health.ask("/readyz").status, json.loads(health.ask("/readyz").body)) == (503, health.parts)


def test_metrics_are_brought_up_to_date_and_in_prometheus_form(health: Health) -> None:
    called: list[bool] = []
    health.refresh = lambda: called.append(True)
    answer = health.ask("/metrics")
    assert answer.status == 200
    assert answer.kind.startswith("text/plain")
    assert "\nreferralbus_test 7.0\n" in answer.body
    assert called == [True]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:1", "127.0.0.1:80"])
def test_it_answers_to_loopback_names(host: str, health: Health) -> None:
    assert health.ask("/healthz", Host=host).status == 200


@pytest.mark.parametrize("host", ["", "agency.example", "127.0.0.1.agency.example", "localhost.example:9464", "[::1]"])
def test_it_answers_to_no_other_name_so_that_no_web_page_can_ask_it(host: str, health: Health) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert health.ask(path, Host=host).status == 421


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PLANTED-7731"])
def test_other_methods_are_not_allowed(method: str, health: Health) -> None:
    answer = health.ask("/metrics", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert PLANTED not in answer.body


@pytest.mark.parametrize("path", ["/", "/PLANTED-7731", "/metrics/", "/healthz/../metrics", "/%2e"])
def test_other_paths_are_a_problem_document_that_echoes_nothing(path: str, health: Health) -> None:
    answer = health.ask(path)
    assert (answer.status, answer.kind) == (404, "application/problem+json")
    assert json.loads(answer.body) == {"status": 404, "title": "Not Found"}


NO_HTTP = [
    b"PLANTED-7731\r\n\r\n",
    b"GET /PLANTED-7731 HTTP/9.9\r\n\r\n",
    b"GET /PLANTED-7731 HTTP/PLANTED-7731\r\n\r\n",
    b"GET /" + b"PLANTED-7731" * 6000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"a: PLANTED-7731\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: " + b"PLANTED-7731" * 6000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("raw", NO_HTTP, ids=range(len(NO_HTTP)))
def test_what_is_no_http_is_not_quoted_either(raw: bytes, health: Health, capfd: pytest.CaptureFixture[str]) -> None:
    answer = health.send(raw)
    assert b"7731" not in answer
    assert b'{"status": ' in answer
    assert health.ask("/healthz").status == 200
    assert capfd.readouterr() == ("", "")


def test_a_defect_is_a_500_with_its_place_and_without_its_message(
    health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    def defective() -> None:
        raise ValueError(f"{PLANTED} was in the row")

    health.refresh = defective
    answer = health.ask("/metrics")
    assert answer.status == 500
    assert json.loads(answer.body)["detail"].startswith("ValueError in tests.unit.deploy.app.test_health_http:")
    assert PLANTED not in answer.body
    assert capfd.readouterr() == ("", "")


def test_a_client_that_says_nothing_holds_up_nobody(health: Health) -> None:
    with socket.create_connection(("127.0.0.1", health.port)):
        assert health.ask("/healthz").status == 200


def test_so_many_at_once_are_answered_and_who_asks_then_is_told_to_try_again(health: Health) -> None:
    asked, answer = threading.Semaphore(0), threading.Event()

    def slow() -> None:
        asked.release()
        answer.wait(PATIENCE_S)

    health.refresh = slow
    askers = [threading.Thread(target=health.ask, args=("/metrics",)) for _ in range(HttpLimits().answered)]
    for asker in askers:
        asker.start()
    for _ in askers:
        assert asked.acquire(timeout=PATIENCE_S)
    assert health.ask("/healthz").status == 503
    answer.set()
    for asker in askers:
        asker.join(PATIENCE_S)
    assert health.ask("/healthz").status == 200


def trickle(connection: socket.socket, ended: threading.Event) -> None:
    """A byte of a header now and then, until the server ends the connection."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    with contextlib.suppress(OSError):
        while not ended.wait(0.02):
            connection.sendall(b"a")
            connection.settimeout(0.001)
            with contextlib.suppress(TimeoutError):
                if connection.recv(1) == b"":
                    break
    ended.set()


@contextlib.contextmanager
def slow_clients(port: int, number: int) -> Iterator[list[threading.Event]]:
    """Clients that never end their request, each with an event that is set when the server has ended it."""
    connections = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(number)]
    ended = [threading.Event() for _ in connections]
    threads = [threading.Thread(target=trickle, args=each) for each in zip(connections, ended, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield ended
    finally:
        for each in ended:
            each.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        for connection in connections:
            connection.close()


def test_more_slow_clients_than_there_are_places_leave_health_and_metrics_to_others(health: Health) -> None:
    limits = HttpLimits()
    with slow_clients(health.port, limits.arriving + limits.answered):
        for path in ("/healthz", "/readyz", "/metrics") * 4:
            assert health.ask(path).status == 200


@pytest.mark.parametrize("limits", [HttpLimits(request_s=0.2)])
def test_a_request_that_trickles_in_is_ended_after_its_time_however_it_goes_on(health: Health) -> None:
    with slow_clients(health.port, 2) as ended:
        assert all(each.wait(PATIENCE_S) for each in ended)


@pytest.mark.parametrize("limits", [HttpLimits(request_s=1000.0, arriving=2)])
def test_where_all_places_are_taken_the_oldest_request_under_way_makes_room(health: Health) -> None:
    with slow_clients(health.port, 2) as ended:
        assert health.ask("/healthz").status == 200
        assert ended[0].wait(PATIENCE_S)
        assert not ended[1].is_set()


def test_it_listens_on_loopback_only_and_says_when_the_port_is_taken(health: Health) -> None:
    with pytest.raises(Refused) as caught:
        health_server(health.port, dict, CollectorRegistry(), lambda: None)
    assert (caught.value.reason, caught.value.path) == (Reason.PORT_TAKEN, "http_port")
    server = health_server(0, dict, CollectorRegistry(), lambda: None)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()
