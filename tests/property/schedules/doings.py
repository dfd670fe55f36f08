"""What each step does."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from referral_bus.ledger.retention import Retention, retain
from tests.property.schedules import people, trouble
from tests.property.schedules.crashing import Crash
from tests.property.schedules.steps import Action, Step
from tests.property.schedules.turn import Turn
from tests.property.schedules.world import CODES, World

SHORT = Retention(
    ended=timedelta(seconds=20),
    dead_letters=timedelta(seconds=50),
    erased=timedelta(minutes=8),
    consent_grace=timedelta(seconds=20),
)


def do(world: World, step: Step) -> None:
    """One step, and a new start where the process ended in it."""
    what, agency, x, y = step
    station = world.bench[CODES[agency]]
    try:
        DOINGS[what](Turn(world, station, x, y))
    except Crash:
        world.crashed(station)


DOINGS: Mapping[Action, Callable[[Turn], object]] = {
    "refer": people.refer,
    "refer briefly": lambda turn: people.refer(turn, brief=True),
    "refer wrongly": people.refer_wrongly,
    "say": people.say,
    "say wrongly": people.say_wrongly,
    "withdraw": people.withdraw,
    "entered in error": people.entered_in_error,
    "pull": lambda turn: turn.station.pull(),
    "relay": lambda turn: turn.station.send(),
    "read": lambda turn: turn.station.read(),
    "announce": lambda turn: turn.station.announce(),
    "retain": lambda turn: retain(turn.station.ledger, SHORT, turn.station.writing()),
    "restart": lambda turn: turn.world.start(turn.station),
    "deliver": trouble.deliver,
    "deliver all": trouble.deliver_all,
    "replay": trouble.replay,
    "drop": lambda turn: turn.world.host.drop(turn.x),
    "drop all": trouble.drop_all,
    "lie": lambda turn: turn.world.host.lie(),
    "wipe": lambda turn: turn.world.host.wipe(),
    "wait": trouble.wait,
    "new register": trouble.new_register,
    "lose keys": trouble.lose_keys,
    "crash": trouble.crash,
    "back up": trouble.back_up,
    "restore": trouble.restore,
    "fail to hand over": trouble.fail_to_hand_over,
    "retry": trouble.retry,
    "discard": trouble.discard,
}
