"""Whatever the host does and whenever a process ends: once it delivers again, both sides come to the same end."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referral_bus.errors import Refused
from referral_bus.ledger import looking
from referral_bus.ledger.looking import Step
from referral_bus.ledger.sending import LONGEST_PAUSE, State
from schemas.events import ReferralKey
from schemas.lifecycle import MOVES, Status
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench, Station
from tests.kit.hostile import HostileBroker
from tests.kit.people import RECIPIENT, SENDER, request_document

PAIR = (SENDER, RECIPIENT)
MOST_REFERRALS = 4
DETAIL = {
    "text": "Synthetic text.",
    "outcome": "provided",
    "outcome_reason": "other",
    "business_status": "waitlisted",
}
NUMBER = st.integers(0, 31)
Action = Literal[
    "refer", "say", "send", "read", "restart", "wait", "deliver", "deliver all", "replay", "drop", "wipe", "lie"
]
OFTEN: tuple[Action, ...] = ("say", "say", "send", "read", "deliver", "deliver all")
SELDOM: tuple[Action, ...] = ("refer", "replay", "drop", "wait", "restart", "wipe", "lie")
STEPS = st.lists(st.tuples(st.sampled_from(OFTEN * 3 + SELDOM), NUMBER, NUMBER), min_size=20, max_size=70)


class Exchange:
    """Two agencies that refer to each other over a hostile host. Any list of steps is a schedule."""

    def __init__(self, folder: Path) -> None:
        self.host = HostileBroker()
        self.bench = Bench(folder, PAIR, broker=self.host)
        self.bench.announce()
        self.host.hostile = True
        self.referrals: list[ReferralKey] = []
        for sender, recipient in (PAIR, PAIR[::-1]):
            self._refer(sender, recipient, soon_over=False)

    def step(self, action: Action, one: int, other: int) -> None:
        station, about = self.bench[PAIR[one % 2]], self.referrals[one // 2 % len(self.referrals)]
        doing: dict[Action, Callable[[], object]] = {
            "refer": lambda: self._refer(PAIR[one % 2], PAIR[1 - one % 2], soon_over=other % 3 == 0),
            "say": lambda: self._say(station, about.referral_id, other),
            "send": station.send,
            "read": station.read,
            "restart": station.reopen,
            "wait": lambda: self.bench.clock.move(timedelta(seconds=(1, 31, 65)[one % 3])),
            "deliver": lambda: self.host.deliver(other),
            "deliver all": self.host.deliver_all,
            "replay": lambda: self.host.replay(one),
            "drop": lambda: self.host.drop(one),
            "wipe": self.host.wipe,
            "lie": self.host.lie,
        }
        doing[action]()

    def _refer(self, sender: str, recipient: str, *, soon_over: bool) -> None:
        if len(self.referrals) < MOST_REFERRALS:
            body = request_document(recipient)["body"]
            if soon_over:
                body["consent"]["expires_at"] = (self.bench.clock() + timedelta(seconds=40)).isoformat()
            self.referrals.append(ReferralKey(sender, self.bench[sender].refer(recipient, body=body)))

    def _say(self, station: Station, referral_id: UUID, number: int) -> None:
        """The first verb from there on, round the table, that is legal there and then; none if none is."""
        for place in range(len(MOVES)):
            move = MOVES[(number + place) % len(MOVES)]
            with suppress(Refused):
                station.say(move.verb, referral_id, **{need: DETAIL[need] for need in move.needs})
                return

    def come_to_rest(self) -> None:
        """The host is honest, and there is time."""
        self.host.become_honest()
        for _ in range(12):
            self.bench.settle(100)
            if all(self.outbox(code) == 0 for code in PAIR):
                return
            self.bench.clock.move(LONGEST_PAUSE)

    def history(self, code: str, key: ReferralKey) -> list[Step]:
        with self.bench[code].ledger.read() as tx:
            return looking.history(tx, key)

    def outbox(self, code: str) -> int:
        with self.bench[code].ledger.read() as tx:
            counts = looking.counts(tx)
        return counts.outbox + counts.receipts_owed


def _sent(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.way == "sent"]


def _received(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.way == "received"]


def _check_one_way(writer: list[Step], reader: list[Step]) -> None:
    """What one side wrote about a referral, and what the other side has of it."""
    judged = _received(reader)
    assert [step.code for step in judged if step.code in (Code.EQUIVOCATION, Code.OLD_INCARNATION)] == []
    stored = [step for step in judged if step.outcome == Outcome.STORED]
    assert [step.place for step in stored] == sorted({step.place for step in stored}), "in order, each once"
    by_id = {step.event_id: step for step in judged}
    assert len(by_id) == len(judged)
    for step in _sent(writer):
        there = by_id.get(step.event_id)
        if step.state is State.STORED:
            assert there is not None
            assert (there.outcome, there.status, there.body) == (Outcome.STORED, step.status, step.body)
        elif step.state is State.REFUSED:
            assert there is not None
            assert (there.outcome, there.code) == (Outcome.REFUSED, step.code)
        else:
            assert step.state is State.UNDELIVERABLE, "visibly given up, since consent is over"


def _check(exchange: Exchange) -> None:
    assert [exchange.outbox(code) for code in PAIR] == [0, 0]
    assert '"event": "defect"' not in exchange.bench.log_lines.text
    for key in exchange.referrals:
        here, there = (exchange.history(code, key) for code in PAIR)
        _check_one_way(here, there)
        _check_one_way(there, here)
        statuses = [exchange.bench[code].status(key.referral_id) for code in PAIR]
        if None in statuses:  # the recipient never took it: its sender sees that, and nobody has moved it
            assert set(statuses) == {None, Status.REQUESTED}
            assert _sent([*here, *there])[0].state in (State.REFUSED, State.UNDELIVERABLE)
        else:
            assert statuses[0] == statuses[1]


@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_both_sides_come_to_the_same_end_whatever_the_host_does(steps: list[tuple[Action, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder))
        try:
            for step in steps:
                exchange.step(*step)
            exchange.come_to_rest()
            _check(exchange)
        finally:
            exchange.bench.close()
