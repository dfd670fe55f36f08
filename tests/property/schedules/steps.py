"""What can happen in a schedule, and how schedules are made up.

A step is (what, agency, x, y); the numbers choose among what is there, and where nothing is, nothing happens. So a
schedule runs the same way each time, and any part of one is a schedule: what fails can be made shorter.
"""

from typing import Literal

from hypothesis import strategies as st

Action = Literal[
    # people and their systems
    "refer",
    "refer briefly",  # the consent ends soon
    "refer wrongly",  # by a defect of the sender's software the recipient refuses it
    "say",
    "say wrongly",
    "withdraw",
    "entered in error",
    "pull",
    # the agency's service
    "relay",
    "read",
    "announce",
    "retain",
    "restart",
    # the host
    "deliver",
    "deliver all",
    "replay",
    "drop",
    "drop all",
    "lie",
    "wipe",
    # time, registers, keys
    "wait",
    "new register",
    "lose keys",
    # accidents, and what operators do about them
    "crash",
    "back up",
    "restore",
    "fail to hand over",
    "retry",
    "discard",
]
Step = tuple[Action, int, int, int]

ALWAYS: tuple[Action, ...] = (
    *("relay",) * 9,
    *("deliver",) * 7,
    *("deliver all",) * 3,
    *("say",) * 5,
    *("refer",) * 2,
    *("announce", "read", "wait"),
)
FEATURES: dict[str, tuple[Action, ...]] = {
    "net": ("drop", "drop all", "replay", "replay", "lie"),
    "wipe": ("wipe",),
    "crash": ("crash", "crash", "crash", "restart"),
    "erase": ("withdraw", "withdraw", "withdraw", "entered in error", "pull"),
    "restore": ("back up", "back up", "restore", "restore"),
    "keys": ("lose keys", "announce", "announce"),
    "registers": ("new register", "new register", "announce"),
    "wrong": ("refer wrongly", "say wrongly", "say wrongly"),
    "operators": ("retry", "discard", "fail to hand over", "fail to hand over"),
    "expiry": ("refer briefly", "refer briefly", "wait", "retain"),
    "retention": ("retain", "retain", "wait"),
}
AGENCY, NUMBER = st.integers(0, 2), st.integers(0, 59)


FIRST: list[Step] = [("refer", 0, 0, 1), ("refer", 1, 0, 1)]
LONGEST = 90


@st.composite
def schedules(draw: st.DrawFn) -> list[Step]:
    """With some of the kinds of trouble, not all of them at once: they would hide each other."""
    features = draw(st.sets(st.sampled_from(sorted(FEATURES))))
    actions = [*ALWAYS, *(action for name in sorted(features) for action in FEATURES[name])]
    steps = st.tuples(st.sampled_from(actions), AGENCY, NUMBER, NUMBER)
    return FIRST + draw(st.lists(steps, min_size=LONGEST // 4, max_size=LONGEST))
