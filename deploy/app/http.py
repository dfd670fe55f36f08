"""Health and metrics over HTTP on loopback: /healthz the process, /readyz what it needs, /metrics for Prometheus."""

import json
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Event
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from referral_bus.errors import Reason, Refused
from referral_bus.logs import defect

Ready = Callable[[], dict[str, bool]]
LOOPBACK = "127.0.0.1"
_HOSTS = frozenset({LOOPBACK, "localhost"})
_PROBLEM = "application/problem+json"


AT_ONCE = 8  # requests; whoever comes while so many are answered is turned away
LISTEN_S = 0.5


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True
    timeout = LISTEN_S

    def __init__(self, *arguments: Any) -> None:
        self._room = BoundedSemaphore(AT_ONCE)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""


class _Quiet(WSGIRequestHandler):
    timeout = 5  # seconds for a client to say what it wants

    def log_message(self, format: str, *args: Any) -> None:
        """Requests for health are not worth a line each."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What is no HTTP at all. The library's own answer quotes it."""
        self.error_content_type, self.error_message_format = _PROBLEM, '{"status": %(code)d, "title": "%(message)s"}\n'
        super().send_error(code)


def health_server(port: int, ready: Ready, registry: CollectorRegistry, refresh: Callable[[], None]) -> WSGIServer:
    """A server on loopback, not yet serving; port 0 takes a free one. `refresh` brings gauges up to date."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            status, kind, body = _answer(environ, ready, registry, refresh)
        except Exception as error:  # noqa: BLE001 # the boundary of a request; the library would print a traceback
            status, kind, body = _problem("500 Internal Server Error", defect(error))
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), ("Allow", "GET")])
        return [body]

    try:
        return make_server(LOOPBACK, port, application, _Server, _Quiet)
    except OSError:
        raise Refused(Reason.PORT_TAKEN, "this port is taken; set another one, or 0 for any", "http_port") from None


def serve(server: WSGIServer, stop: Event, progress: Callable[[], None]) -> None:
    """The listening thread's work, until `stop`."""
    while not stop.is_set():
        progress()
        server.handle_request()


def _answer(
    environ: dict[str, Any], ready: Ready, registry: CollectorRegistry, refresh: Callable[[], None]
) -> tuple[str, str, bytes]:
    if str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0] not in _HOSTS:
        return _problem("421 Misdirected Request")
    if environ["REQUEST_METHOD"] != "GET":
        return _problem("405 Method Not Allowed")
    match environ["PATH_INFO"]:
        case "/healthz":
            return "200 OK", "application/json", b'{"healthy": true}\n'
        case "/readyz":
            parts = ready()
            status = "200 OK" if all(parts.values()) else "503 Service Unavailable"
            return status, "application/json", json.dumps(parts).encode() + b"\n"
        case "/metrics":
            refresh()
            return "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
    return _problem("404 Not Found")


def _problem(status: str, detail: str | None = None) -> tuple[str, str, bytes]:
    """RFC 9457; never echoes what was asked."""
    code, title = status.split(" ", 1)
    problem = {"status": int(code), "title": title} | ({"detail": detail} if detail else {})
    return status, _PROBLEM, json.dumps(problem).encode() + b"\n"
