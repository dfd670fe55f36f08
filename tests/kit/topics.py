"""What stands in a topic of the bench's broker."""

from referral_bus.broker.protocols import Delivery
from referral_bus.wire.avro_codec import decode
from referral_bus.wire.raw import RawRecord
from schemas.events import AnyRecord, StorageReceipt
from schemas.personal import ReferralBody, StatusBody
from tests.kit.bench import Bench


def records(made: Bench, topic: str | None) -> list[RawRecord]:
    live = made.broker.topics([topic or ""])[topic or ""]
    log = made.broker.log(live.name, live.topic_id, 0) or []
    return [delivery.record for delivery in log if isinstance(delivery, Delivery)]


def decoded(made: Bench, topic: str | None) -> list[AnyRecord]:
    found = [decode(raw.value) for raw in records(made, topic)]
    return [each for each in found if not isinstance(each, ReferralBody | StatusBody)]


def events(made: Bench, addressee: str) -> list[bytes]:
    """The values of the events in an inbox, resent ones as often as they stand there."""
    inbox = made.register.inbox(addressee)
    pairs = zip(records(made, inbox), decoded(made, inbox), strict=True)
    return [raw.value for raw, record in pairs if not isinstance(record, StorageReceipt)]


def receipts(made: Bench, addressee: str) -> list[StorageReceipt]:
    found = decoded(made, made.register.inbox(addressee))
    return [each for each in found if isinstance(each, StorageReceipt)]
