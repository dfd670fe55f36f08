"""F15: a quarter of an hour of everything at random; what keeps running must not grow."""

import random
import signal
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.app.worklist import Filter, find
from schemas.lifecycle import ErasureReason
from tests.faults.brokers import OwnKafka, own_kafka
from tests.faults.conftest import Report
from tests.faults.field import FIRST, LAST, MIDDLE, Field, field_of, say
from tests.faults.load import Flow

pytestmark = [pytest.mark.kafka, pytest.mark.soak]

LASTS_S = 15 * 60.0
FIRST_THIRD_S = LASTS_S / 3
"""In it every service may be killed; afterwards only the one in the middle, so that the others live long enough to be
measured."""

EVERY_S = (4.0, 12.0)
REFERRALS = 12  # more before each fault
WARM_S, LIVED_S = 180.0, 420.0
GROWTH = 0.05
MOST_WIPES = 4


@dataclass
class Memory:
    """Resident bytes of each process by its age in seconds."""

    samples: dict[int, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def look(self, running: Field) -> None:
        for process in running.running.values():
            pid = process.popen.pid
            age = time.monotonic() - process.began
            self.samples[pid].append((age, psutil.Process(pid).memory_info().rss))

    def growths(self) -> Mapping[int, float]:
        """Of each process that has lived long enough: its last minute against the minute after it was warm."""
        found = {}
        for pid, samples in self.samples.items():
            age = samples[-1][0]
            warm = [rss for when, rss in samples if WARM_S <= when < WARM_S + 60]
            if age >= LIVED_S and warm:
                late = [rss for when, rss in samples if when > age - 60]
                found[pid] = statistics.median(late) / statistics.median(warm) - 1
        return found


def test_f15_after_a_quarter_of_an_hour_of_everything_nothing_is_lost_and_nothing_has_grown(
    tmp_path: Path, report: Report, chance: random.Random
) -> None:
    flows, memory = [Flow(FIRST, MIDDLE), Flow(MIDDLE, LAST), Flow(LAST, MIDDLE)], Memory()
    with own_kafka(tmp_path) as kafka, field_of(tmp_path, kafka.bootstrap, flows) as soaked:
        soaked.start_and_wait(*soaked.clients)
        happened = soak(soaked, kafka, memory, chance)
        result = soaked.settle()
    growths = memory.growths()
    say(f"  growth of {len(growths)} processes: {', '.join(f'{growth:+.1%}' for growth in growths.values())}")
    report("F15", f"{LASTS_S / 60:.0f} min: {told(happened)}", result)
    assert len(growths) >= 2, "some must have lived long enough to tell"
    assert max(growths.values()) < GROWTH


def told(happened: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(happened.items()))


def soak(soaked: Field, kafka: OwnKafka, memory: Memory, chance: random.Random) -> Counter[str]:
    happened: Counter[str] = Counter()
    faults = faults_of(soaked, kafka, chance)
    while (age := time.monotonic() - soaked.began) < LASTS_S:
        soaked.load.want(REFERRALS)
        rest_until = time.monotonic() + chance.uniform(*EVERY_S)
        while time.monotonic() < rest_until:
            memory.look(soaked)
            time.sleep(0.5)
        name = chance.choice([name for name in faults if name != "wipes" or happened["wipes"] < MOST_WIPES])
        faults[name](age)
        happened[name] += 1
        if sum(happened.values()) % 10 == 0:
            soaked.tell(told(happened))
    return happened


def faults_of(soaked: Field, kafka: OwnKafka, chance: random.Random) -> dict[str, Callable[[float], None]]:
    """Each is told how old the soak is."""

    def kill(age: float) -> None:
        soaked.start_again(chance.choice([FIRST, MIDDLE, LAST]) if age < FIRST_THIRD_S else MIDDLE)

    def freeze(_: float) -> None:
        frozen = chance.choice(sorted(soaked.running))
        soaked.running[frozen].popen.send_signal(signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, 4))
        soaked.running[frozen].popen.send_signal(signal.SIGCONT)

    def kill_broker(_: float) -> None:
        kafka.kill()
        kafka.start()

    def wipe_broker(_: float) -> None:
        kafka.kill()
        kafka.wipe(same_cluster=chance.random() < 0.5)
        kafka.start()
        soaked.services.make_topics()

    def withdraw(_: float) -> None:
        code = chance.choice(sorted(soaked.clients))
        open_here = find(soaked.clients[code], Filter(), 50).referrals
        if open_here:
            referral = chance.choice(open_here).referral.key.referral_id
            soaked.clients[code].withdraw(str(referral), ErasureReason.WITHDRAWN)

    return {
        "kills": kill,
        "stops": freeze,
        "broker kills": kill_broker,
        "wipes": wipe_broker,
        "withdrawals": withdraw,
    }
