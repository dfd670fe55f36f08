"""Hand-over to a system that fails or is not there: what uses up attempts, who waits, what becomes a dead letter."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest

from consumers.agency.handover import Answer, Down, Failed, HandedOver, NotNow
from referral_bus.ledger import handovers
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter, chosen
from referral_bus.ledger.dead_letters import DeadLetterState
from referral_bus.ledger.handovers import LONGEST_PAUSE, LONGEST_REST, Received, Retries
from schemas.outcomes import Code
from tests.kit.bench import Bench
from tests.kit.handing import ATTEMPTS, PAUSE, handover, handover_to, until_quiet
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER
from tests.kit.waiting import PATIENCE_S


class System:
    """An agency's system that answers as it is told, by referral, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Received] = []
        self.answers: dict[UUID, Answer] = {}
        self.otherwise: Answer = HandedOver()

    def __call__(self, received: Received) -> Answer:
        self.asked.append(received)
        return self.answers.get(received.referral.referral_id, self.otherwise)

    def asked_about(self, referral_id: UUID) -> int:
        return sum(received.referral.referral_id == referral_id for received in self.asked)


def _refer(trio: Bench, words: int = 0) -> UUID:
    referral_id = trio[SENDER].refer(RECIPIENT)
    for number in range(words):
        trio[SENDER].say("answer", referral_id, text=f"Synthetic word {number}.")
    trio.settle()
    return referral_id


def _dead_letters(trio: Bench) -> list[DeadLetter]:
    with trio[RECIPIENT].ledger.read() as tx:
        return chosen(tx, Choice(), 100)


def _counted(trio: Bench, name: str, **labels: str) -> float:
    return trio[RECIPIENT].metrics.registry.get_sample_value(f"referralbus_{name}", labels) or 0


def _blocked(trio: Bench) -> int:
    with trio[RECIPIENT].ledger.read() as tx:
        return handovers.blocked(tx)


def test_after_its_last_attempt_an_event_is_a_dead_letter_and_blocks_only_its_referral(trio: Bench) -> None:
    failing, system = _refer(trio, words=1), System()
    system.answers[failing] = Failed("status 500")
    with handover_to(trio, system) as made:
        for _ in range(ATTEMPTS + 3):
            until_quiet(made)
            trio.clock.move(LONGEST_PAUSE)
        other = _refer(trio, words=1)
        until_quiet(made)
    assert (system.asked_about(failing), system.asked_about(other)) == (ATTEMPTS, 2)
    [letter] = _dead_letters(trio)
    assert (letter.state, letter.code, letter.writer) == (DeadLetterState.EXHAUSTED, Code.HANDOVER_EXHAUSTED, SENDER)
    assert letter.referral == (SENDER, failing)
    assert letter.event_number == system.asked[0].cursor
    assert _counted(trio, "dead_letters_total", reason="HANDOVER_EXHAUSTED") == 1
    assert _blocked(trio) == 1
    assert '"code": "HANDOVER_EXHAUSTED"' in trio.log_lines.text


def test_the_pauses_of_a_failing_event_double_and_outlast_a_restart(trio: Bench) -> None:
    failing, system = _refer(trio), System()
    system.answers[failing] = Failed("status 500")
    for asked, pause in ((1, PAUSE), (2, 2 * PAUSE)):
        with handover_to(trio, system) as made:
            until_quiet(made)
            assert system.asked_about(failing) == asked
            trio.clock.move(pause - timedelta(milliseconds=1))
            until_quiet(made)
            assert system.asked_about(failing) == asked
        trio.clock.move(timedelta(milliseconds=1))


def test_a_pause_is_never_longer_than_an_hour_and_patience_is_never_nonsense() -> None:
    retries = Retries(100, PAUSE)
    assert [retries.backoff.pause(failures) for failures in (1, 2, 99)] == [PAUSE, 2 * PAUSE, LONGEST_PAUSE]
    for attempts, pause in ((0, PAUSE), (1, timedelta(0))):
        with pytest.raises(ValueError, match="attempts must be at least 1"):
            Retries(attempts, pause)


def test_a_system_that_is_down_uses_up_no_attempts_however_long(trio: Bench) -> None:
    referral_id, system = _refer(trio), System()
    system.otherwise = Down("status 503")
    with handover_to(trio, system) as made:
        for _ in range(5 * ATTEMPTS):
            until_quiet(made)
            trio.clock.move(LONGEST_REST)
        assert system.asked_about(referral_id) == 5 * ATTEMPTS
        assert (_dead_letters(trio), _blocked(trio)) == ([], 0)
        system.answers[referral_id] = Failed("status 500")
        until_quiet(made)
    assert _blocked(trio) == 1
    assert _dead_letters(trio) == [], "one attempt of several is used up"


def test_while_the_system_is_down_all_of_it_rests_and_the_rests_grow(trio: Bench) -> None:
    for _ in range(6):
        _refer(trio)
    system = System()
    system.otherwise = Down("timeout")
    asked, rests = [], (PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE, 16 * PAUSE, LONGEST_REST, LONGEST_REST)
    with handover_to(trio, system, workers=4) as made:
        for rest in rests:
            until_quiet(made)
            asked.append(len(system.asked))
            trio.clock.move(rest - timedelta(milliseconds=1))
            until_quiet(made)
            assert len(system.asked) == asked[-1]
            trio.clock.move(timedelta(milliseconds=1))
    assert asked == [4, 5, 6, 7, 8, 9, 10], "four at work when it goes down; then one at a time asks whether it is up"


def test_once_the_system_is_up_again_everything_goes_and_the_next_rest_is_short(trio: Bench) -> None:
    referral_ids, system = [_refer(trio) for _ in range(6)], System()
    system.otherwise = Down("timeout")
    with handover_to(trio, system) as made:
        for _ in range(3):
            until_quiet(made)
            trio.clock.move(LONGEST_REST)
        system.otherwise = HandedOver()
        until_quiet(made)
        assert {received.referral.referral_id for received in system.asked} == set(referral_ids)
        system.otherwise = Down("timeout")
        later = _refer(trio)
        until_quiet(made)
        trio.clock.move(PAUSE)
        until_quiet(made)
    assert system.asked_about(later) == 2


def test_what_brings_the_system_down_comes_after_all_others(trio: Bench) -> None:
    """Else one event that always hangs would stop everything."""
    hanging = _refer(trio)
    others, system = [_refer(trio) for _ in range(3)], System()
    system.answers[hanging] = Down("timeout")
    with handover_to(trio, system, workers=1) as made:
        until_quiet(made)
        assert [each.referral.referral_id for each in system.asked] == [hanging]
        trio.clock.move(PAUSE)
        until_quiet(made)
    assert [each.referral.referral_id for each in system.asked] == [hanging, *others, hanging]


def test_a_handler_that_says_not_now_uses_up_no_attempt(trio: Bench) -> None:
    _refer(trio)
    tried = []

    def handler(received: Received) -> None:
        tried.append(received.event_id)
        raise NotNow(PLANTED_NAME)

    with handover(trio, handler) as made:
        for _ in range(2 * ATTEMPTS):
            until_quiet(made)
            trio.clock.move(LONGEST_REST)
    assert len(tried) == 2 * ATTEMPTS
    assert (_dead_letters(trio), _blocked(trio)) == ([], 0)
    assert PLANTED_NAME not in trio.log_lines.text


def test_a_slow_hand_over_holds_up_nobody_beyond_its_worker(trio: Bench) -> None:
    slow, others = _refer(trio), [_refer(trio) for _ in range(5)]
    release = threading.Event()
    seen: list[UUID] = []

    def handler(received: Received) -> None:
        if received.referral.referral_id == slow:
            release.wait(PATIENCE_S)
        seen.append(received.referral.referral_id)

    with handover(trio, handler, workers=2) as made:
        while len(seen) < len(others):
            made.tick()
        assert set(seen) == set(others)
        release.set()
        until_quiet(made)
    assert seen[-1] == slow


def _acknowledge(trio: Bench, cursor: int) -> None:
    with trio[RECIPIENT].ledger.write() as tx:
        handovers.acknowledged_up_to(tx, cursor, trio[RECIPIENT].writing())


def test_passing_the_cursor_of_a_dead_letter_settles_it_and_frees_its_referral(trio: Bench) -> None:
    failing, system = _refer(trio, words=1), System()
    system.answers[failing] = Failed("status 500")
    with handover_to(trio, system) as made:
        for _ in range(ATTEMPTS):
            until_quiet(made)
            trio.clock.move(LONGEST_PAUSE)
        del system.answers[failing]
        _acknowledge(trio, _dead_letters(trio)[0].event_number or 0)
        until_quiet(made)
    assert (_dead_letters(trio), _blocked(trio)) == ([], 0)
    assert [each.record for each in system.asked][ATTEMPTS:] == ["StatusEvent"]


@pytest.mark.parametrize("answer", [Failed("status 500"), Down("timeout")])
def test_an_answer_that_comes_too_late_changes_nothing(trio: Bench, answer: Answer) -> None:
    """Somebody has passed its cursor while the system was still thinking."""
    _refer(trio)

    def endpoint(received: Received) -> Answer:
        _acknowledge(trio, received.cursor)
        return answer

    with handover_to(trio, endpoint, attempts=1) as made:
        until_quiet(made)
        trio.clock.move(LONGEST_PAUSE)
        until_quiet(made)
    assert (_dead_letters(trio), _blocked(trio)) == ([], 0)


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(minutes=59), timedelta(minutes=6)])
@pytest.mark.parametrize("answer", [HandedOver(), Failed("status 500"), Down("timeout")])
def test_a_clock_that_is_set_back_holds_nothing_up(trio: Bench, answer: Answer, ahead: timedelta) -> None:
    """What was stored, tried or rested while the clock was ahead goes at once."""
    first, system = _refer(trio), System()
    system.otherwise = answer
    with handover_to(trio, system) as made:
        until_quiet(made)
        later = _refer(trio)
        system.otherwise = HandedOver()
        trio.clock.move(-ahead)
        until_quiet(made)
    assert (system.asked_about(first), system.asked_about(later)) == (1 if answer == HandedOver() else 2, 1)
