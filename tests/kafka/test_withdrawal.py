"""Withdrawn means erased, with real services over a real Kafka: nothing of the person is left at either side."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from referral_bus.wire.avro_codec import decode
from schemas.events import StorageReceipt
from schemas.outcomes import Outcome
from tests.kafka.raw import append_again, read_everything
from tests.kafka.services import Services, started
from tests.kit.command import Command
from tests.kit.handlers import handed_over
from tests.kit.homes import RECIPIENT, Agency
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, request_document
from tests.kit.traces import traces
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

PLANTED = (PLANTED_NAME, PLANTED_NEED, "PLANTED-TEXT-7731", "PLANTED-REF-7731")


@pytest.fixture
def services(tmp_path: Path, kafka_bootstrap: str) -> Iterator[Services]:
    made = Services(tmp_path / "agencies", kafka_bootstrap)
    made.make_topics()
    made.recipient.set_to(handler="'tests.kit.handlers:note_down'")
    yield made
    made.end()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_after_a_withdrawal_no_file_of_either_side_holds_a_word_and_a_late_copy_is_not_opened(
    services: Services, command: Command, tmp_path: Path
) -> None:
    sender, recipient = services.sender, services.recipient
    processes = started(services, [sender, recipient])
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(RECIPIENT) | {"local_ref": PLANTED[3]}), encoding="utf-8")
    referral = str(command(sender, "publish", file, "--json").document[0]["referral_id"])
    file.unlink()

    def shown(agency: Agency) -> Any:
        return command(agency, "show", referral, "--json").document

    wait_until(lambda: shown(sender)["history"][0]["state"] == "stored")
    assert command(recipient, "accept", referral, "--text", PLANTED[2], "--local-ref", PLANTED[3]).code == 0
    wait_until(lambda: shown(sender)["status"] == "accepted")
    wait_until(lambda: shown(recipient)["history"][0]["handed_over_at"])

    assert command(recipient, "withdraw", referral, "--yes").code == 0
    wait_until(lambda: shown(sender)["status"] == "cancelled")
    command(sender, "inbox", "--after", command(sender, "inbox", "--json").document["cursor"])
    wait_until(lambda: shown(recipient).get("peer_confirmed_at"))

    copies = [record for record in read_everything(services.kafka, services.topic_prefix) if _is_event(record)]
    assert len(copies) >= 2
    for agency in (sender, recipient):
        assert command(agency, "agency", "backup", agency.home / "afterwards.backup").code == 0
    append_again(services.kafka, copies)
    digests = {sha256(record.value).digest() for record in copies}
    wait_until(lambda: digests <= _receipted(services, Outcome.ERASED))

    for process in processes:
        assert process.terminate()[0] == 0
    for planted in PLANTED:
        assert traces([services.folder], planted) == [], "in any file of the homes, their backups and logs"
    taken = handed_over(recipient.home)
    assert len(taken) == len(set(taken)) == 3, "the referral, that the sender has erased, and confirmed; no copy"
    assert shown(sender)["status"] == shown(recipient)["status"] == "cancelled"


def _is_event(record: Any) -> bool:
    kinds = dict(record.headers)["ce_type"]
    return b"ReferralEvent" in kinds or b"StatusEvent" in kinds


def _receipted(services: Services, outcome: Outcome) -> set[bytes]:
    """The digests of everything that a receipt has said this of."""
    records = [decode(record.value) for record in read_everything(services.kafka, services.topic_prefix)]
    receipts = [record for record in records if isinstance(record, StorageReceipt)]
    return {item.value_sha256 for receipt in receipts for item in receipt.items if item.outcome == outcome}
