"""An agency's own system behind its webhook: well, or ill in one of eight ways."""

import json
import time
from collections.abc import Container, Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from uuid import UUID

from deploy.app.agency_client import AgencyClient
from referral_bus.ledger import handovers
from tests.faults.ears import News, news

SLOW_S, HANGS_S = 0.3, 3.0


class Illness(StrEnum):
    DOWN = "down"
    SLOW = "slow"
    FAILING = "failing"
    REDIRECTING = "redirecting"
    HANGING = "hanging"
    NONSENSE = "nonsense"
    CUT_OFF = "cut off"
    TOO_MANY = "too many"


class Endpoint:
    """`taken` are the bodies of the calls that it answered well, in their order."""

    def __init__(self, illness: Illness) -> None:
        self.illness: Illness | None = illness
        self.called = 0
        self.taken: list[str] = []
        self._lock = Lock()
        self._server = self._make(0)
        self.port: int = self._server.server_address[1]
        if illness is Illness.DOWN:
            self._server.server_close()
        else:
            self._serve()

    def recover(self) -> None:
        """From now on it is well."""
        was, self.illness = self.illness, None
        if was is Illness.DOWN:
            self._server = self._make(self.port)
            self._serve()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self) -> None:
        Thread(target=self._server.serve_forever, args=(0.05,), name="endpoint", daemon=True).start()

    def _make(self, port: int) -> ThreadingHTTPServer:
        endpoint = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.answer(self, body)

            def log_message(self, format: str, *args: object) -> None:
                """Not of interest."""

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """The caller gave up first."""

        return Server(("127.0.0.1", port), Answer)

    def answer(self, call: BaseHTTPRequestHandler, body: str) -> None:
        self.called += 1
        match self.illness:
            case None | Illness.SLOW:
                time.sleep(SLOW_S if self.illness else 0)
                with self._lock:
                    self.taken.append(body)
                _say(call, 200)
            case Illness.FAILING:
                _say(call, 500)
            case Illness.TOO_MANY:
                _say(call, 429)
            case Illness.REDIRECTING:
                _say(call, 302, Location="http://127.0.0.1:9/")
            case Illness.HANGING:
                time.sleep(HANGS_S)
            case Illness.NONSENSE:
                call.wfile.write(b"\x00\xff not http at all \r\n\r\n" * 50)
            case Illness.CUT_OFF | Illness.DOWN:
                call.wfile.write(b"HTTP/1.1 200 O")


def _say(call: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    call.send_response(status)
    for name, value in headers.items():
        call.send_header(name, value)
    call.send_header("Content-Length", "0")
    call.end_headers()


class Called:
    """Hears what the endpoint has taken: it was told ids, and reads the rest from the ledger."""

    def __init__(self, client: AgencyClient, endpoint: Endpoint) -> None:
        self.heard_before: Container[UUID] = ()
        self._client = client
        self._endpoint = endpoint
        self._read = 0

    def listen(self) -> Sequence[News]:
        bodies = self._endpoint.taken[self._read :]
        self._read += len(bodies)
        with self._client.ledger.read() as tx:
            return [news(handovers.after_cursor(tx, int(json.loads(body)["cursor"]) - 1, 1)[0]) for body in bodies]
