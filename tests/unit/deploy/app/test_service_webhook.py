"""A running service with a webhook: its secret is changed, its endpoint fails, and commands beside it are heard."""

from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from consumers.agency.webhook_secrets import finish_rotation, new_secret
from referral_bus.broker.memory import MemoryBroker
from referral_bus.clock import system_clock
from tests.kit.command import Command
from tests.kit.homes import RECIPIENT
from tests.kit.listener import Call, listening, saying
from tests.kit.people import request
from tests.kit.waiting import wait_until
from tests.unit.deploy.app.conftest import NEED, Federation
from tests.unit.deploy.app.test_agency_service import Running


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running(MemoryBroker(system_clock))
    yield made
    made.end()


def verifies(call: Call, secret: bytes) -> bool:
    try:
        Webhook(secret).verify(call.body, call.headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_secret_is_changed_while_the_service_runs(federation: Federation, running: Running) -> None:
    keys = federation.recipient.home / "keys"
    first = new_secret(keys)
    with listening(saying(200)) as listener:
        federation.recipient.set_to(webhook_url=f"'http://127.0.0.1:{listener.port}/'")
        sender, _ = running.start(federation.sender), running.start(federation.recipient)

        def next_call() -> Call:
            had = len(listener.calls)
            sender.client.publish([request(RECIPIENT)])
            wait_until(lambda: len(listener.calls) > had)
            return listener.calls[-1]

        wait_until(lambda: len(listener.calls) == 1)  # of the referral that was there before
        assert verifies(next_call(), first)
        second = new_secret(keys)
        call = next_call()
        assert (verifies(call, first), verifies(call, second)) == (True, True)
        finish_rotation(keys)
        call = next_call()
        assert (verifies(call, first), verifies(call, second)) == (False, True)
        assert all(running.end())
    assert NEED not in running.log.text


def test_what_a_command_retries_the_running_service_hands_over_at_once(
    federation: Federation, running: Running, command: Command
) -> None:
    new_secret(federation.recipient.home / "keys")
    with listening(saying(500)) as listener:
        url = f"'http://127.0.0.1:{listener.port}/'"
        federation.recipient.set_to(webhook_url=url, handover_attempts="1", handover_retry_s="3600")
        running.start(federation.recipient)
        wait_until(lambda: '"event": "dead_letter"' in running.log.text)
        listener.talk = saying(200)
        assert command(federation.recipient, "dead-letters", "retry", 1).code == 0
        wait_until(lambda: len(listener.calls) == 2)
        wait_until(lambda: command(federation.recipient, "dead-letters", "list").out == "no dead letters\n")
    first, again = listener.calls
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
