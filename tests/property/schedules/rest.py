"""The fair end of every schedule: the host keeps its word, everybody acts, and there is time."""

from datetime import timedelta

from consumers.agency import dead_letters
from consumers.agency.maintenance import scrub
from referral_bus.ledger.outbox import LONGEST_PAUSE
from referral_bus.ledger.retention import Retention, retain
from tests.kit.bench import Station
from tests.property.schedules.books import read_book
from tests.property.schedules.trouble import WHO, waiting
from tests.property.schedules.world import World

FOR_EVER = timedelta(days=36500)
ONLY_CONSENT = Retention(FOR_EVER, FOR_EVER, FOR_EVER, FOR_EVER, consent_grace=timedelta(minutes=1))
PAUSES = (timedelta(minutes=10), *[LONGEST_PAUSE] * 20)
"""First every short consent and its grace run out, then the relay's longest pause, again and again."""
MOST_ROUNDS = 60  # of everybody at work; most schedules need under ten


class NoRest(AssertionError):
    """Messages never stop (I6), or something waits for ever (I7)."""


def come_to_rest(world: World) -> None:
    stations = world.bench.stations.values()
    world.host.become_honest()
    for station in stations:
        world.bench.fuses[station.code].put_out()
    _work(world)
    for station in stations:
        world.take_register(station, world.newest)
    for day, pause in enumerate(PAUSES):
        for station in stations:
            _act(station, day)
        _work(world)
        world.bench.clock.move(pause)
        if day > 0 and not _under_way(world):
            _tell_how_far(world)
            return
    raise NoRest(f"I7 waits for ever: {', '.join(_under_way(world))}")


def _tell_how_far(world: World) -> None:
    """A last heartbeat of everybody, in which others see what was handed over; and the monitor reads."""
    for station in world.bench.stations.values():
        station.announce()
    _work(world)
    world.observer.read()


def _act(station: Station, day: int) -> None:
    """What the service does from time to time, and people every day. What nothing depends on is left out on the first
    two days, on which most schedules end."""
    if day != 1:
        station.announce()
    letters = waiting(station)
    if letters:
        dead_letters.retry(station.ledger, letters, station.surroundings(), WHO)
    station.pull()
    if day > 0:
        retain(station.ledger, ONLY_CONSENT, station.writing())
        scrub(station.ledger, station.writing())


def _work(world: World) -> None:
    """Until nobody has anything to do at this hour."""
    stations = world.bench.stations.values()
    busy = {station.code for station in stations}
    for _ in range(MOST_ROUNDS):
        sent = {station.code for station in stations if station.code in busy and station.send()}
        busy = sent | {station.code for station in stations if station.read()}
        if not busy:
            return
    raise NoRest("I6 messages never stop")


def _under_way(world: World) -> list[str]:
    return [f"{code} {what}" for code, station in world.bench.stations.items() for what in read_book(station).under_way]
