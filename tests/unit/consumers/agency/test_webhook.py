"""The webhook: what it says, how it is signed, and what each answer of an endpoint means."""

import json
import socket
import ssl
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from consumers.agency.handover import Answer, Down, Endpoint, Failed, HandedOver, Handover
from consumers.agency.webhook import MOST_READ, WebhookEndpoint
from consumers.agency.webhook_secrets import shown
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import Received
from schemas.events import ReferralKey
from schemas.lifecycle import Side, Status
from schemas.personal import StatusBody
from tests.kit.bench import Bench
from tests.kit.handing import handover_to, until_quiet
from tests.kit.listener import Listener, Talk, listening, saying, self_signed
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, RECIPIENT, SENDER
from tests.kit.waiting import PATIENCE_S

SECRET, NEXT = b"a synthetic secret of 32 bytes..", b"another synthetic secret, 32 by."
TIMEOUT_S = 0.5
EVENT, REFERRAL = UUID(int=7), UUID(int=8)


def _received() -> Received:
    now = system_clock()
    body = StatusBody(text=PLANTED_NEED)
    return Received(42, EVENT, ReferralKey(SENDER, REFERRAL), Side.SENDER, RECIPIENT, "StatusEvent", Status.REJECTED,
                    now, now, body)  # fmt: skip


def _endpoint(url: str, *secrets: bytes, trust: ssl.SSLContext | None = None, within_s: float = PATIENCE_S) -> Endpoint:
    used = secrets or (SECRET,)
    return WebhookEndpoint(url, lambda: used, within_s, system_clock, trust or ssl.create_default_context())


def _call(listener: Listener, *secrets: bytes, within_s: float = PATIENCE_S) -> Answer:
    return _endpoint(f"http://127.0.0.1:{listener.port}/hook?from=bus", *secrets, within_s=within_s)(_received())


def test_it_posts_ids_and_nothing_else() -> None:
    with listening(saying(200)) as listener:
        assert _call(listener) == HandedOver()
    [call] = listener.calls
    assert call.start == "POST /hook?from=bus HTTP/1.1"
    assert json.loads(call.body) == {
        "event_id": str(EVENT),
        "referral_id": str(REFERRAL),
        "referral_sender": SENDER,
        "cursor": 42,
    }
    whole = json.dumps([call.headers, call.body])
    for said in ("rejected", "StatusEvent", RECIPIENT, PLANTED_NEED):
        assert said not in whole


def test_the_standard_library_of_webhooks_verifies_it_and_knows_a_repeated_call_by_its_id() -> None:
    with listening(saying(200)) as listener:
        for _ in range(2):
            _call(listener)
    for call in listener.calls:
        Webhook(shown(SECRET)).verify(call.body, call.headers)
        assert call.headers["webhook-id"] == str(EVENT)
        with pytest.raises(WebhookVerificationError):
            Webhook(shown(NEXT)).verify(call.body, call.headers)


def test_the_signature_is_over_the_time_of_the_call_wherever_the_clock_stands() -> None:
    """The library takes a time's figures for UTC, whatever its offset."""
    tashkent = timezone(timedelta(hours=5))
    with listening(saying(200)) as listener:
        url = f"http://127.0.0.1:{listener.port}/"
        trust = ssl.create_default_context()
        WebhookEndpoint(url, lambda: [SECRET], PATIENCE_S, lambda: datetime.now(tashkent), trust)(_received())
    Webhook(SECRET).verify(listener.calls[0].body, listener.calls[0].headers)
    assert abs(int(listener.calls[0].headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


def test_during_a_rotation_each_of_two_secrets_verifies_it() -> None:
    with listening(saying(200)) as listener:
        _call(listener, SECRET, NEXT)
    for secret in (SECRET, NEXT):
        Webhook(secret).verify(listener.calls[0].body, listener.calls[0].headers)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        *((status, HandedOver()) for status in (200, 202, 204, 299)),
        *((status, Down(f"status {status}")) for status in (429, 502, 503, 504)),
        *((status, Failed(f"status {status}")) for status in (300, 400, 401, 404, 409, 410, 500, 501)),
    ],
)
def test_each_status_has_its_meaning(status: int, answer: Answer) -> None:
    with listening(saying(status)) as listener:
        assert _call(listener) == answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with listening(saying(200)) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/\r\n"
        with listening(saying(status, location)) as listener:
            assert _call(listener) == Failed(f"status {status}")
    assert elsewhere.calls == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(saying(200)) as proxy, listening(saying(204)) as listener:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert _call(listener) == HandedOver()
    assert (len(proxy.calls), len(listener.calls)) == (0, 1)


def _hangs(line: socket.socket) -> None:
    line.recv(1)  # until the caller gives up


def _drips(line: socket.socket) -> None:
    for sign in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"s" * 1000:
        line.sendall(bytes([sign]))
        time.sleep(TIMEOUT_S / 10)


def _drips_its_body(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        line.sendall(b"s")
        time.sleep(TIMEOUT_S / 10)


def _endless(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        line.sendall(bytes(MOST_READ))


def _closes(line: socket.socket) -> None:
    line.close()


def _garbage(line: socket.socket) -> None:
    line.sendall(b"\x00\xff PLANTED garbage\r\n\r\n")


def _long_headers(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Long: yes\r\n" * 1000 + b"\r\n")


@pytest.mark.parametrize(
    ("talk", "within_s", "answer"),
    [
        (_hangs, TIMEOUT_S, Down("TimeoutError")),
        (_drips, TIMEOUT_S, Down("TimeoutError")),
        (_drips_its_body, TIMEOUT_S, HandedOver()),
        (_closes, PATIENCE_S, Down("RemoteDisconnected")),
        (_garbage, PATIENCE_S, Failed("BadStatusLine")),
        (_long_headers, PATIENCE_S, Failed("HTTPException")),
    ],
)
def test_an_endpoint_that_misbehaves_is_let_go_in_time(talk: Talk, within_s: float, answer: Answer) -> None:
    begun = time.monotonic()
    with listening(talk) as listener:
        assert _call(listener, within_s=within_s) == answer
    assert time.monotonic() - begun < PATIENCE_S / 4  # to its last drop it would take a minute


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Half: ye"])
def test_an_answer_that_is_cut_off_before_its_headers_end_acknowledges_nothing(beginning: bytes) -> None:
    with listening(lambda line: line.sendall(beginning)) as listener:
        assert _call(listener) == Down("ConnectionResetError")


def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    begun = time.monotonic()
    with listening(_endless) as listener:
        assert _call(listener) == HandedOver()
    assert time.monotonic() - begun < PATIENCE_S / 2  # read to its end, it would take all of it


def test_an_endpoint_that_is_not_there_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert _endpoint(f"http://127.0.0.1:{port}/")(_received()) == Down("ConnectionRefusedError")


def test_over_tls_the_certificate_must_be_trusted(tmp_path: Path) -> None:
    server, trust = self_signed(tmp_path)
    with listening(saying(200), server) as listener:
        url = f"https://127.0.0.1:{listener.port}/"
        assert _endpoint(url, trust=trust)(_received()) == HandedOver()
        assert _endpoint(url)(_received()) == Down("SSLCertVerificationError")
        assert len(listener.calls) == 1


def test_a_server_that_never_ends_its_tls_greeting_is_let_go(tmp_path: Path) -> None:
    _, trust = self_signed(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        assert _endpoint(url, trust=trust, within_s=TIMEOUT_S)(_received()) == Down("TimeoutError")


def test_a_secret_that_cannot_be_read_uses_up_no_attempt() -> None:
    def missing() -> list[bytes]:
        raise Refused(Reason.HOME_INVALID, "this key file is missing or damaged", "keys/webhook.secret")

    endpoint = WebhookEndpoint("http://127.0.0.1:1/", missing, PATIENCE_S, system_clock, ssl.create_default_context())
    assert endpoint(_received()) == Down("HOME_INVALID")


def _handed_over(trio: Bench, listener: Listener) -> AbstractContextManager[Handover]:
    return handover_to(trio, _endpoint(f"http://127.0.0.1:{listener.port}/"))


def test_handed_over_by_webhook_in_order_and_only_ids_are_logged(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio[SENDER].say("answer", referral_id, text=PLANTED_NEED)
    trio.settle()
    with listening(saying(200)) as listener, _handed_over(trio, listener) as made:
        until_quiet(made)
    cursors = [json.loads(call.body)["cursor"] for call in listener.calls]
    with trio[RECIPIENT].ledger.read() as tx:
        assert cursors == [each.cursor for each in handovers.after_cursor(tx, 0, 10)]
        assert handovers.oldest_waiting(tx) is None
    for planted in (PLANTED_NAME, PLANTED_NEED):
        assert planted not in trio.log_lines.text


def test_a_failing_webhook_is_logged_by_its_status(trio: Bench) -> None:
    trio[SENDER].refer(RECIPIENT)
    trio.settle()
    for talk, said in ((saying(500, body=PLANTED_NAME.encode()), "status 500"), (_garbage, "BadStatusLine")):
        with listening(talk) as listener, _handed_over(trio, listener) as made:
            until_quiet(made)
        assert f'"where": "{said}"' in trio.log_lines.text
        trio.clock.move(timedelta(hours=1))
    assert PLANTED_NAME not in trio.log_lines.text
