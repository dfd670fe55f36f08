"""The webhook: posts the ids of a received event to the address in the settings, signed as Standard Webhooks specify.

The call only tells the agency's system that there is an event to read; the system reads it from the agency's ledger.
"""

import io
import json
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import create_connection, socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from consumers.agency.handover import Answer, Down, Failed, HandedOver
from referral_bus.clock import Clock
from referral_bus.errors import Refused
from referral_bus.ledger.handovers import Received

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_S = 3.0  # for each address that the host's name has
MOST_READ = 4096  # bytes of an answer that are read and thrown away: only its status counts
NOT_NOW = frozenset({429, 502, 503, 504})


class WebhookEndpoint:
    """An `Endpoint` for hand-over. Calls `secrets` before each request, so that a rotation needs no restart. Follows no
    redirect and uses no proxy. A call ends `timeout_s` seconds after its begin, however slowly the server answers."""

    def __init__(
        self, url: str, secrets: Callable[[], Sequence[bytes]], timeout_s: float, clock: Clock, trust: ssl.SSLContext
    ) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._secure else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secrets = secrets
        self._timeout_s = timeout_s
        self._clock = clock
        self._trust = trust

    def __call__(self, received: Received) -> Answer:
        body = notification(received)
        headers = {"Content-Type": "application/json", "User-Agent": "referral-bus"}
        try:
            headers |= signature(str(received.event_id), body, self._secrets(), self._clock())
            status = self._post(body, headers)
        except Refused as error:  # a secret that cannot be read
            return Down(error.reason)
        except OSError as error:  # refused, reset, timed out, closed without an answer, a certificate not trusted
            return Down(type(error).__name__)
        except HTTPException as error:  # an answer that is no HTTP
            return Failed(type(error).__name__)
        if 200 <= status < 300:
            return HandedOver()
        return Down(f"status {status}") if status in NOT_NOW else Failed(f"status {status}")

    def _post(self, body: str, headers: dict[str, str]) -> int:
        deadline = _Deadline(self._timeout_s)
        kind = HTTPSConnection if self._secure else HTTPConnection
        with self._connect(deadline) as line:
            call = kind(self._host, self._port)
            call.sock = told = _Line(line, deadline)  # has every method that `http.client` calls on a socket
            call.request("POST", self._target, body.encode(), headers)
            answer = call.getresponse()
            if told.cut_off:  # the library takes half a status line, or half the headers, for a whole answer
                raise ConnectionResetError
            with suppress(OSError, HTTPException):
                answer.read(MOST_READ)
            return answer.status

    def _connect(self, deadline: "_Deadline") -> socket:
        line = create_connection((self._host, self._port), min(CONNECT_S, deadline.left()))
        if not self._secure:
            return line
        try:
            line.settimeout(deadline.left())
            return self._trust.wrap_socket(line, server_hostname=self._host)
        except OSError:
            line.close()
            raise


def notification(received: Received) -> str:
    """The JSON body of a call: the ids of event and referral, the referral's sender, and the cursor. No status, nothing
    about a person."""
    ids = {
        "event_id": str(received.event_id),
        "referral_id": str(received.referral.referral_id),
        "referral_sender": received.referral.sender,
        "cursor": received.cursor,
    }
    return json.dumps(ids, separators=(",", ":"))


def signature(event_id: str, body: str, secrets: Sequence[bytes], now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks, with one signature for each secret. `webhook-id` is the id of the event,
    by which the receiver recognizes a repeated call."""
    moment = now.astimezone(UTC)  # the library ignores the offset
    signatures = [Webhook(secret).sign(event_id, moment, body) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class _Deadline:
    """The moment at which a call ends, whatever the server does."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds left. Raises `TimeoutError` when none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Line:
    """The methods of a socket that `http.client` uses. Every wait ends at the deadline, whereas the time-out of a plain
    socket begins anew with every byte. Does not close the socket; `_post` does."""

    def __init__(self, line: socket, deadline: _Deadline) -> None:
        self._line = line
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(self._deadline.left())
        self._line.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 # the library's signature
        self._incoming = _Incoming(self._line, self._deadline)
        return io.BufferedReader(self._incoming)

    @property
    def cut_off(self) -> bool:
        """Whether the server closed the connection while the answer was still being read."""
        return self._incoming.ended

    def close(self) -> None:
        """Does nothing: `http.client` calls it before the answer is read to its end; `_post` closes the socket."""


class _Incoming(io.RawIOBase):
    def __init__(self, line: socket, deadline: _Deadline) -> None:
        super().__init__()
        self._line = line
        self._deadline = deadline
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._line.settimeout(self._deadline.left())
        number = self._line.recv_into(buffer)
        self.ended = number == 0
        return number
