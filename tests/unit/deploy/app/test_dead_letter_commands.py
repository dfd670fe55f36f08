"""`dead-letters` and the webhook's secret, on real homes: what is shown, what is refused, and never a value."""

from datetime import timedelta
from uuid import UUID

import pytest

from consumers.agency.webhook_secrets import shown, valid_secrets
from deploy.app.agency_client import open_client
from referral_bus.clock import system_clock
from referral_bus.home import accept_register, open_home
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import Retries
from tests.kit.command import NOTHING_LEAVES, PLANTED, Command, Ended, assert_one_line, assert_refused
from tests.kit.homes import RECIPIENT, SENDER, Agency, Post, signed_register
from tests.kit.people import PLANTED_NAME
from tests.unit.deploy.app.conftest import NEED, Federation

REASON = f"{PLANTED} the synthetic family has moved"


def give_up(recipient: Agency) -> None:
    """Its system has not taken the first event that is due, at the only attempt."""
    client = open_client(recipient.home)
    with client.ledger.write() as tx:
        due = handovers.due(tx, client.clock(), (), 1)[0]
        assert handovers.failed(tx, due.cursor, Retries(1, timedelta(seconds=1)), client.clock())
    client.close()


def hold(federation: Federation) -> UUID:
    """A referral that cites a register which only its sender has."""
    newer = signed_register(federation.folder, federation.stewards, version=2)
    accept_register(open_home(federation.sender.home), newer.register, newer.signatures, system_clock(), None)
    post = Post(federation.folder)
    referral_id = post.refer(NEED)
    post.close()
    return referral_id


def numbers(command: Command, agency: Agency) -> list[int]:
    document = command(agency, "dead-letters", "list", "--each", "--json").document
    assert document["shown"] == document["total"]
    return [each["number"] for each in document["dead_letters"]]


@pytest.fixture
def two(federation: Federation) -> Federation:
    """The recipient has a hand-over that was given up, and a held referral."""
    give_up(federation.recipient)
    hold(federation)
    return federation


def test_the_list_says_reason_sender_count_and_who_must_act(two: Federation, command: Command) -> None:
    document = command(two.recipient, "dead-letters", "list", "--json").document["dead_letters"]
    assert [
        (group["code"], group["state"], group["from"], group["count"], group["who_acts"]) for group in document
    ] == [
        ("HANDOVER_EXHAUSTED", "exhausted", SENDER, 1, "recipient"),
        ("REGISTER_NEWER", "held", SENDER, 1, "by itself"),
    ]
    lines = command(two.recipient, "dead-letters", "list").out.splitlines()
    assert len(lines) == 2
    assert f"from {SENDER}: 1 since 20" in lines[0]
    assert lines[0].endswith("acts: recipient; 1")
    assert len(command(two.recipient, "dead-letters", "list", "--code", "REGISTER_NEWER").out.splitlines()) == 1
    assert command(two.recipient, "dead-letters", "list", "--from-agency", RECIPIENT).out == "no dead letters\n"
    assert len(command(two.recipient, "dead-letters", "list", "--each").out.splitlines()) == 2


def test_show_says_everything_in_clear_and_nothing_sealed(two: Federation, command: Command) -> None:
    exhausted, held = numbers(command, two.recipient)
    document = command(two.recipient, "dead-letters", "show", held, "--json").document
    assert document["event"]["priority"] == "urgent"
    assert document["event"]["register_version"] == 2
    assert "sealed" not in document["event"]
    assert (document["topic"], document["count"]) == (f"referral.inbox.{RECIPIENT}.v1", 1)
    assert len(document["schema_fingerprint"]) == 16
    assert command(two.recipient, "dead-letters", "show", exhausted, "--json").document["cursor"] == 1
    for number in (exhausted, held):
        said = command(two.recipient, "dead-letters", "show", number)
        assert f"Dead letter {number}: " in said.out
        assert f"dead-letters retry {number}" in said.out
        for secret in (NEED, PLANTED_NAME):
            assert secret not in said.out


@pytest.mark.parametrize("verb", [("retry",), ("discard", "--reason", REASON)])
def test_a_dry_run_says_which_ones_are_meant_and_changes_nothing(
    two: Federation, command: Command, verb: tuple[str, ...]
) -> None:
    before = two.recipient.rows()
    said = command(two.recipient, "dead-letters", *verb, "--from-agency", SENDER, "--dry-run")
    assert said.out.splitlines()[-1].startswith("2 would be ")
    assert REASON not in said.out
    both = command(two.recipient, "dead-letters", *verb, "--from-agency", SENDER, "--dry-run", "--json").document
    assert len(both) == 2
    assert two.recipient.rows() == before


def test_a_retry_says_what_became_of_each(two: Federation, command: Command) -> None:
    exhausted, held = numbers(command, two.recipient)
    said = command(two.recipient, "dead-letters", "retry", held)
    assert said.out.endswith("still held, REGISTER_NEWER\n")
    assert said.err == NOTHING_LEAVES
    done = command(two.recipient, "dead-letters", "retry", exhausted, held, "--json").document
    assert [(each["number"], each["result"]) for each in done] == [
        (exhausted, "due again: handed over once the service runs"),
        (held, "still held, REGISTER_NEWER"),
    ]
    assert numbers(command, two.recipient) == [held]


def test_a_discard_says_what_it_means_for_the_other_side(two: Federation, command: Command) -> None:
    exhausted, held = numbers(command, two.recipient)
    discard = ("dead-letters", "discard", "--reason", REASON)
    said = command(two.recipient, *discard, exhausted)
    assert said.out.endswith("discarded, the referral is answered as rejected\n")
    [done] = command(two.recipient, *discard, "--code", "REGISTER_NEWER", "--json").document
    assert (done["number"], done["result"]) == (held, "discarded")
    assert command(two.recipient, "dead-letters", "list").out == "no dead letters\n"
    assert len(command(two.recipient, "dead-letters", "list", "--code", "DISCARDED").out.splitlines()) == 1
    assert command(two.sender, "show", two.referral, "--json").document["status"] == "requested"
    post = Post(two.folder)
    post.settle()
    post.close()
    assert command(two.sender, "show", two.referral, "--json").document["status"] == "rejected"


def test_the_reason_is_shown_here_and_stands_in_no_file_and_no_answer(two: Federation, command: Command) -> None:
    exhausted, held = numbers(command, two.recipient)
    said = command(two.recipient, "dead-letters", "discard", exhausted, held, "--reason", REASON)
    assert REASON not in said.out
    assert f"discarded because: {REASON}" in command(two.recipient, "dead-letters", "show", exhausted).out
    assert REASON not in command(two.recipient, "dead-letters", "show", held).out
    for path in two.recipient.home.rglob("*"):
        assert path.is_dir() or PLANTED.encode() not in path.read_bytes()


def refused(command: Command, agency: Agency, *arguments: object) -> Ended:
    before = agency.rows()
    said = command(agency, "dead-letters", *arguments)
    assert_one_line(said)
    assert (said.code, agency.rows()) == (2, before)
    return said


def test_what_cannot_be_settled_is_refused_with_one_line(two: Federation, command: Command) -> None:
    recipient = two.recipient
    assert_refused(refused(command, recipient, "retry"), "FIELD_MISSING", "NUMBER")
    assert_refused(refused(command, recipient, "retry", 99), "DEAD_LETTER_UNKNOWN")
    assert_refused(refused(command, recipient, "show", 99), "DEAD_LETTER_UNKNOWN")
    assert_refused(refused(command, recipient, "retry", "--from-agency", PLANTED), "DEAD_LETTER_UNKNOWN")
    assert_refused(refused(command, recipient, "discard", 1), "FIELD_MISSING", "--reason")
    assert_refused(refused(command, recipient, "discard", 1, "--reason", ""), "VALUE_REFUSED", "--reason")
    assert_refused(refused(command, recipient, "discard", 1, "--reason", f"{PLANTED}\n"), "VALUE_REFUSED", "--reason")
    assert_refused(refused(command, recipient, "discard", 1, "--reason", PLANTED * 99), "TOO_LARGE", "--reason")
    assert_refused(refused(command, recipient, "retry", PLANTED), "USAGE")
    assert_refused(refused(command, recipient, "retry", 2**63), "USAGE")
    command(recipient, "dead-letters", "discard", 2, "--reason", REASON)
    assert_refused(refused(command, recipient, "retry", 2), "DEAD_LETTER_FINAL", "NUMBER 2")
    assert_refused(refused(command, recipient, "discard", 2, "--reason", REASON), "DEAD_LETTER_FINAL", "NUMBER 2")


def test_the_webhooks_secret_is_made_shown_once_and_rotated(federation: Federation, command: Command) -> None:
    keys = federation.recipient.home / "keys"
    first = command(federation.recipient, "agency", "webhook-secret").out.splitlines()[0]
    second = command(federation.recipient, "agency", "webhook-secret", "--json").document["secret"]
    assert [first, second] == [shown(secret) for secret in valid_secrets(keys)]
    assert_refused(
        command(federation.recipient, "agency", "webhook-secret"), "HOME_INVALID", "keys/webhook-next.secret"
    )
    assert command(federation.recipient, "agency", "webhook-secret", "--finish", "--json").document == {"secret": None}
    assert [second] == [shown(secret) for secret in valid_secrets(keys)]
    said = command(federation.recipient, "agency", "webhook-secret", "--finish")
    assert_refused(said, "HOME_INVALID", "keys/webhook-next.secret")


@pytest.mark.parametrize(
    ("url", "refused_at"),
    [
        ("http://case-system.example/hook", "webhook_url"),
        ("ftp://127.0.0.1/", "webhook_url"),
        ("https://", "webhook_url"),
        ("https://user:PLANTED-7731@case-system.example/", "webhook_url"),
        ("https://case-system.example/#PLANTED-7731", "webhook_url"),
        ("https://case-system.example/a b", "webhook_url"),
        ("https://case-system.example:99999/", "webhook_url"),
        ("http://127.0.0.1.example/", "webhook_url"),
    ],
)
def test_the_webhook_goes_by_https_or_stays_on_this_machine(
    federation: Federation, command: Command, url: str, refused_at: str
) -> None:
    federation.recipient.set_to(webhook_url=f"'{url}'")
    assert_refused(command(federation.recipient, "inbox"), "SETTINGS_INVALID", refused_at)


@pytest.mark.parametrize("url", ["https://case-system.example/hook?a=b", "http://127.0.0.1:8080/", "http://[::1]:80/"])
def test_a_webhook_is_taken_as_it_is_set(federation: Federation, command: Command, url: str) -> None:
    federation.recipient.set_to(webhook_url=f"'{url}'")
    assert command(federation.recipient, "inbox").code == 0


def test_a_service_with_a_webhook_needs_its_secret_and_no_handler_beside_it(
    federation: Federation, command: Command
) -> None:
    federation.recipient.set_to(webhook_url="'https://case-system.example/'")
    said = command(federation.recipient, "agency", "run")
    assert_refused(said, "HOME_INVALID", "webhook_url")
    assert "referral-bus agency webhook-secret" in said.err
    federation.recipient.set_to(handler="'our_system:handler'")
    assert_refused(command(federation.recipient, "agency", "run"), "SETTINGS_INVALID", "webhook_url")
