"""No peer has us send everything again and again: once at once, and then not for a while."""

import hashlib
from datetime import timedelta

import pytest

from referral_bus.ledger import outbox_sweep
from referral_bus.ledger.resends import SHORTEST
from referral_bus.wire.avro_codec import decode
from schemas.outcomes import Outcome
from tests.kit.bench import Bench, make_keyring
from tests.kit.forge import a_receipt, an_announcement, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.topics import events

REFERRALS = 5


@pytest.fixture
def silent(trio: Bench) -> Bench:
    """What was sent has no receipts yet."""
    for _ in range(REFERRALS):
        trio[SENDER].refer(RECIPIENT)
    send(trio)
    assert sent(trio) == REFERRALS
    return trio


def send(made: Bench) -> None:
    while made[SENDER].send():
        pass


def sent(made: Bench) -> int:
    return len(events(made, RECIPIENT))


def announce(made: Bench, number: int, **changes: object) -> None:
    """Another register each time, unless other changes are named."""
    said = changes or {"register_version": 50 + number}
    made[SENDER].take(signed(made, an_announcement(made, RECIPIENT, 100 + number, **said)))
    made.clock.move(timedelta(seconds=1))
    send(made)


def test_a_peer_that_announces_something_new_again_and_again_is_sent_everything_once_in_a_while(silent: Bench) -> None:
    for number in range(18):
        announce(silent, number)
    assert sent(silent) == 2 * REFERRALS, "once at once"

    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == 3 * REFERRALS, "and once for all that came meanwhile"


def test_a_peer_whose_incarnation_rises_again_and_again_is_sent_everything_once_in_a_while(silent: Bench) -> None:
    for number in range(18):
        announce(silent, number, incarnation=5 + number)
    assert sent(silent) == 2 * REFERRALS

    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == 3 * REFERRALS


def test_a_peer_whose_inbox_is_made_anew_again_and_again_is_sent_everything_once_in_a_while(silent: Bench) -> None:
    for number in range(18):
        with silent[SENDER].ledger.write() as tx:
            outbox_sweep.inbox_seen(tx, RECIPIENT, f"topic-{number}", silent.clock())
        silent.clock.move(timedelta(seconds=1))
        send(silent)
    assert sent(silent) == 2 * REFERRALS, "once at once"

    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == 3 * REFERRALS, "and once for all that came meanwhile"


def answer(made: Bench, outcome: Outcome) -> None:
    """A receipt for each event, about the bytes that were sent last."""
    newest = {decode(raw).event_id: raw for raw in events(made, RECIPIENT)}  # type: ignore[union-attr]
    for raw in newest.values():
        made[SENDER].take(a_receipt(made, RECIPIENT, SENDER, hashlib.sha256(raw).digest(), outcome))
    made.clock.move(timedelta(seconds=1))
    send(made)


def new_key(made: Bench) -> dict[str, object]:
    keyring = make_keyring(made[RECIPIENT].keyring.signing, made.clock())
    return {"sealing_keys": keyring.announced(made.clock())}


def test_a_peer_that_has_everything_sealed_anew_again_and_again_gets_it_once_in_a_while(silent: Bench) -> None:
    announce(silent, 0, **new_key(silent))
    before = sent(silent)
    answer(silent, Outcome.RESEAL)
    assert sent(silent) == before + REFERRALS, "once at once"
    for number in range(1, 15):
        announce(silent, number, **new_key(silent))
        answer(silent, Outcome.RESEAL)
    assert sent(silent) == before + REFERRALS

    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == before + 2 * REFERRALS, "and once for all that came meanwhile"


def test_one_peer_takes_no_turn_of_another(silent: Bench) -> None:
    silent[SENDER].take(signed(silent, an_announcement(silent, THIRD, 100, register_version=50)))
    announce(silent, 1)
    assert sent(silent) == 2 * REFERRALS


def test_a_clock_that_was_set_back_delays_nothing_for_long(silent: Bench) -> None:
    silent.clock.move(timedelta(days=1))
    announce(silent, 1)
    announce(silent, 2)
    before = sent(silent)
    silent.clock.move(-timedelta(days=1))
    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == before + REFERRALS


def test_a_peer_that_lacks_the_same_event_again_and_again_gets_it_once_in_a_while(silent: Bench) -> None:
    """One receipt can name hundreds of events behind what it says it lacks."""
    referral_id = silent[SENDER].referrals()[0]
    silent[SENDER].say("answer", referral_id, text="Synthetic word.")
    send(silent)
    second, before = events(silent, RECIPIENT)[-1], sent(silent)

    for _ in range(15):
        lacking = a_receipt(silent, RECIPIENT, SENDER, hashlib.sha256(second).digest(), Outcome.MISSING)
        silent[SENDER].take(lacking)
        silent.clock.move(timedelta(seconds=1))
        send(silent)

    assert sent(silent) <= before + 2, "once at once, and then in its turn"


def test_a_peer_that_has_stored_what_was_lacking_again_and_again_gets_what_follows_once_in_a_while(
    silent: Bench,
) -> None:
    """Each time under a higher incarnation, so that its word counts again."""
    first, referral_id = events(silent, RECIPIENT)[0], silent[SENDER].referrals()[0]
    silent[SENDER].say("answer", referral_id, text="Synthetic word.")
    send(silent)
    second = events(silent, RECIPIENT)[-1]

    def receipt(raw: bytes, outcome: Outcome, incarnation: int) -> None:
        digest = hashlib.sha256(raw).digest()
        silent[SENDER].take(a_receipt(silent, RECIPIENT, SENDER, digest, outcome, incarnation=incarnation))

    for incarnation in range(2, 17):
        receipt(second, Outcome.MISSING, incarnation)
        receipt(first, Outcome.STORED, incarnation)
        silent.clock.move(timedelta(seconds=1))
        send(silent)

    assert events(silent, RECIPIENT).count(second) <= 4
