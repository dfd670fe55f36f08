"""Health and metrics over HTTP on loopback: /healthz says that the process runs, /readyz whether it has what it needs,
/metrics is for Prometheus."""

import io
import json
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Event, Lock
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from referral_bus.errors import Reason, Refused
from referral_bus.logs import defect

Ready = Callable[[], dict[str, bool]]
LOOPBACK = "127.0.0.1"
LISTEN_S = 0.5
_HOSTS = frozenset({LOOPBACK, "localhost"})
_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """`request_s`: seconds within which a whole request must arrive, counted from the connection on. `arriving`: number
    of connections whose request has not arrived yet; one more, and the server closes the oldest, so that slow clients
    cannot use up all of them. `answered`: number of requests answered at the same time; one more gets a 503."""

    request_s: float = 5.0
    arriving: int = 64
    answered: int = 8


class HealthServer(ThreadingMixIn, WSGIServer):
    """Serves each connection in a thread of its own, within `HttpLimits`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    timeout = LISTEN_S

    def __init__(self, port: int, limits: HttpLimits) -> None:
        self.limits = limits
        self.answering = BoundedSemaphore(limits.answered)
        self._arriving: dict[socket.socket, None] = {}  # in the order in which they came
        self._lock = Lock()
        super().__init__((LOOPBACK, port), _RequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            while len(self._arriving) >= self.limits.arriving:
                oldest = next(iter(self._arriving))
                del self._arriving[oldest]
                _end(oldest)  # its thread reads the end of the connection, and closes it
            self._arriving[request] = None
        super().process_request(request, client_address)

    def arrived(self, request: socket.socket) -> None:
        """Stops counting a connection as arriving: its request is complete, or the connection has ended."""
        with self._lock:
            self._arriving.pop(request, None)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.arrived(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs nothing: a client that disconnects, or is too slow, is normal."""


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the client has closed it already
        return


class _ReadUntil(io.RawIOBase):
    """Reads from a connection until `moment` on the monotonic clock. A plain socket's time-out holds for each read, so
    a client that sends a byte a second would keep the connection open for ever."""

    def __init__(self, connection: socket.socket, moment: float) -> None:
        self._connection = connection
        self._moment = moment

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        left_s = self._moment - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


class _RequestHandler(WSGIRequestHandler):
    server: HealthServer

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_ReadUntil(self.connection, time.monotonic() + self.server.limits.request_s))

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        self.connection.settimeout(self.server.limits.request_s)  # for the whole of the answer
        self.server.arrived(self.connection)
        return parsed

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: requests for health come all the time."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answers a request that is no HTTP. The library's own answer would quote the request."""
        self.error_content_type, self.error_message_format = _PROBLEM, '{"status": %(code)d, "title": "%(message)s"}\n'
        super().send_error(code)


def health_server(
    port: int,
    ready: Ready,
    registry: CollectorRegistry,
    refresh: Callable[[], None],
    limits: HttpLimits = HttpLimits(),
) -> HealthServer:
    """A server on loopback that does not serve yet; port 0 takes a free port. `refresh`: brings the gauges up to date
    before each scrape. Raises `Refused` where the port is taken."""
    try:
        server = HealthServer(port, limits)
    except OSError:
        raise Refused(Reason.PORT_TAKEN, "this port is taken; set another one, or 0 for any", "http_port") from None

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not server.answering.acquire(blocking=False):
            status, kind, body = _problem("503 Service Unavailable", "too many requests at once; try again")
        else:
            try:
                status, kind, body = _answer(environ, ready, registry, refresh)
            except Exception as error:  # noqa: BLE001 # the boundary of a request; the library would print a traceback
                status, kind, body = _problem("500 Internal Server Error", defect(error))
            finally:
                server.answering.release()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), ("Allow", "GET")])
        return [body]

    server.set_app(application)
    return server


def serve(server: HealthServer, stop: Event, progress: Callable[[], None]) -> None:
    """The work of the listening thread, until `stop` is set."""
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
    """A problem document by RFC 9457; it quotes nothing of the request."""
    code, title = status.split(" ", 1)
    problem = {"status": int(code), "title": title} | ({"detail": detail} if detail else {})
    return status, _PROBLEM, json.dumps(problem).encode() + b"\n"
