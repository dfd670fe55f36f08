"""What the host does, what happens to registers, keys and ledgers, and what operators do about it."""

from contextlib import suppress
from datetime import timedelta

from consumers.agency import dead_letters
from referral_bus.errors import Refused
from referral_bus.ledger import dead_letter_lists, handovers
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter
from referral_bus.ledger.dead_letters import WAITING
from referral_bus.ledger.handovers import Retries
from tests.kit.bench import Station
from tests.property.schedules.turn import Turn, chosen
from tests.property.schedules.world import CODES

WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 31, 65, 600))
ONE_TRY = Retries(1, timedelta(seconds=1))
WHO = "test"


def deliver(turn: Turn) -> None:
    """The oldest in half the cases, else any."""
    turn.world.host.deliver(0 if turn.y % 2 else turn.x, turn.world.topics(turn.station.code))
    turn.station.read()


def deliver_all(turn: Turn) -> None:
    """All that is there for this agency; in half the cases the newest first."""
    host, mine = turn.world.host, turn.world.topics(turn.station.code)
    for _ in range(sum(record.topic in mine for record in host.kept)):
        host.deliver(0 if turn.y % 2 else -1, mine)
    turn.station.read()


def replay(turn: Turn) -> None:
    turn.world.host.replay(turn.x, turn.world.topics(turn.station.code))
    turn.station.read()


def drop_all(turn: Turn) -> None:
    """All that is there for this agency."""
    host, mine = turn.world.host, turn.world.topics(turn.station.code)
    host.kept[:] = [record for record in host.kept if record.topic not in mine]


def new_register(turn: Turn) -> None:
    """Now and then it is what another agency has already, or an agreement has ended in it."""
    world, one = turn.world, turn.x % len(CODES)
    if turn.y % 3 == 0:
        world.take_register(turn.station, world.newest)
        return
    other = (one + 1 + turn.y % 2) % len(CODES)
    ended = (CODES[one], CODES[other]) if turn.x % 4 == 0 else None
    world.take_register(turn.station, world.next_register(without=ended))


def lose_keys(turn: Turn) -> None:
    """The private halves are destroyed; the new ones have to be announced."""
    turn.station.keyring = turn.world.bench.new_keyring(turn.station.code)
    turn.world.start(turn.station)


def wait(turn: Turn) -> None:
    turn.world.bench.clock.move(WAITS[turn.x % len(WAITS)])


def crash(turn: Turn) -> None:
    """Soon, in whatever it does."""
    turn.world.bench.fuses[turn.station.code].light(turn.x % 20)


def back_up(turn: Turn) -> None:
    turn.world.backups[turn.station.code].append(turn.station.back_up())


def restore(turn: Turn) -> None:
    """Mostly the newest backup, now and then an older one."""
    there = turn.world.backups[turn.station.code][::-1]
    backup = chosen(there, turn.x if turn.y % 3 == 0 else 0)
    if backup is not None:
        turn.world.restore(turn.station, backup, by_the_book=turn.y % 2 == 0)


def fail_to_hand_over(turn: Turn) -> None:
    now = turn.world.bench.clock()
    with turn.station.ledger.write() as tx:
        for received in handovers.due(tx, now, (), 1 + turn.x % 3):
            handovers.failed(tx, received.cursor, ONE_TRY, now)


def waiting(station: Station) -> list[DeadLetter]:
    """What waits for somebody at this agency."""
    with station.ledger.read() as tx:
        return dead_letter_lists.chosen(tx, Choice(), 100, WAITING)


def retry(turn: Turn) -> None:
    letter = chosen(waiting(turn.station), turn.x)
    if letter is not None:
        dead_letters.retry(turn.station.ledger, [letter], turn.station.surroundings(), WHO)


def discard(turn: Turn) -> None:
    letter, context = chosen(waiting(turn.station), turn.x), turn.station.surroundings()
    if letter is not None:
        with suppress(Refused):  # the word about an erasure is never discarded
            dead_letters.discard(turn.station.ledger, [letter], "Synthetic reason.", context, WHO)
