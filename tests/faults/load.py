"""People at work: every agency's staff refer, ask, answer and decide, straight into their own ledger as commands do.

What a call has returned for is durable, so it is noted down as said. Nothing is said twice.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle, islice
from typing import Any, TypeVar
from uuid import UUID

from deploy.app.agency_client import AgencyClient
from referral_bus.errors import Reason, Refused, Unreachable
from tests.faults.checker import Heard, SaidWord
from tests.faults.ears import Ear, News
from tests.kit.people import request

T = TypeVar("T")

IDLE_S = 0.02
TOGETHER = 25
"""Referrals in one transaction of publish."""

Words = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Story:
    """What is said about a referral: by its sender at once, by its recipient once it has heard of it, and by its
    recipient once it has heard its question answered. `events` is how many that makes, the referral among them."""

    name: str
    by_sender: tuple[Words, ...] = ()
    by_recipient: tuple[Words, ...] = ()
    at_last: tuple[Words, ...] = ()
    events: int = 1


TO_AND_FRO = Story(
    "to and fro",
    by_sender=(("answer", {}),),
    by_recipient=(("see", {}), ("accept", {}), ("note", {"business_status": "contact-attempted"}), ("ask", {})),
    at_last=(("start", {}), ("complete", {"outcome": "provided"})),
    events=9,
)
REJECTED = Story("rejected", by_recipient=(("see", {}), ("reject", {"outcome_reason": "no-capacity"})), events=3)
CANCELLED = Story("cancelled", by_sender=(("cancel", {}),), events=3)  # the recipient's service answers by itself
UNANSWERED = Story("unanswered", by_sender=(("answer", {}),) * 4, events=5)
QUIET = Story("quiet")
MIXED = (*[TO_AND_FRO] * 6, REJECTED, CANCELLED)
STORIES = {story.name: story for story in (*MIXED, UNANSWERED, QUIET)}


def referrals_for(events: int, stories: Sequence[Story] = MIXED) -> int:
    """How many referrals make at least so many events."""
    return -(-events * len(stories) // sum(story.events for story in stories))


class Staff:
    """One agency's people. They work beside its service or without one."""

    def __init__(self, client: AgencyClient, ear: Ear) -> None:
        self.client = client
        self.code = client.settings.agency
        self.said: list[SaidWord] = []
        self.heard: list[Heard] = []
        self._ear = ear
        self._known: set[UUID] = set()
        self._stories: dict[UUID, Story] = {}
        self._answers: dict[UUID, int] = defaultdict(int)
        self._numbers = count(1)

    @property
    def has_heard(self) -> int:
        """How many different events."""
        return len(self._known)

    def refer(self, recipient: str, stories: Sequence[Story]) -> None:
        """Publishes all of them in one transaction, and says the first words about them."""
        texts = [f"{self._label()}: {story.name}" for story in stories]
        requests = [request(recipient, need=text) for text in texts]
        published = [each.referral_id for each in patiently(lambda: self.client.publish(requests))]
        self.said += [SaidWord(self.code, referral, text) for referral, text in zip(published, texts, strict=True)]
        for referral, story in zip(published, stories, strict=True):
            self._say(referral, story.by_sender)

    def work(self) -> bool:
        """Hears what came in and does what follows from it; tells whether anything came."""
        came = patiently(self._ear.listen)
        for news in came:
            self.heard.append(Heard(news.event_id, news.referral, news.peer, news.text))
            if news.event_id not in self._known:  # a handler may be called again
                self._known.add(news.event_id)
                self._follow(news)
        return bool(came)

    def _follow(self, news: News) -> None:
        if news.record == "ReferralEvent":
            self._stories[news.referral] = STORIES[str(news.text).rpartition(": ")[2]]
            self._say(news.referral, self._stories[news.referral].by_recipient)
        elif news.about == "information-requested":
            self._say(news.referral, (("answer", {}),))
        elif news.about == "information-provided":
            self._answers[news.referral] += 1
            if self._answers[news.referral] == 2:  # the first came of itself
                self._say(news.referral, self._stories[news.referral].at_last)

    def _say(self, referral: UUID, words: Sequence[Words]) -> None:
        for verb, detail in words:
            text = self._label()
            try:
                patiently(partial(self.client.move, verb, str(referral), {**detail, "text": text}))
            except Refused as error:
                if error.reason not in (Reason.TRANSITION_REFUSED, Reason.REFERRAL_ERASED):
                    raise
                return  # the other side was quicker, or it has been erased
            self.said.append(SaidWord(self.code, referral, text))

    def begin_again(self, client: AgencyClient, ear: Ear) -> None:
        """Their ledger was restored: they go on, and hear again what it has lost."""
        self.heard = [each for each in self.heard if each.event_id in ear.heard_before]
        self.client, self._ear = client, ear

    def listen_to(self, ear: Ear) -> None:
        """Their own system is another one from now on."""
        self._ear = ear

    def _label(self) -> str:
        return f"synthetic word {next(self._numbers)} of {self.code}"


def patiently(call: Callable[[], T]) -> T:
    """As a person tries again who is told that the ledger is locked; nothing was written then."""
    while True:
        try:
            return call()
        except Unreachable:
            time.sleep(IDLE_S)


@dataclass(frozen=True, slots=True)
class Flow:
    """Referrals go from here to there."""

    sender: str
    recipient: str


class Load:
    """The people of all agencies at work in a thread of their own, so that faults meet them in the middle of it."""

    def __init__(self, staff: Mapping[str, Staff], flows: Iterable[Flow], stories: Sequence[Story]) -> None:
        self.staff = staff
        self._flows = cycle(flows)
        self._stories = cycle(stories)
        self._wanted = 0
        self._asked: list[tuple[Flow, list[Story]]] = []
        self._stop = threading.Event()
        self._failed: Exception | None = None
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def want(self, referrals: int) -> None:
        """So many more are to be started."""
        with self._lock:
            self._wanted += referrals

    def ask_for(self, flow: Flow, story: Story, referrals: int) -> None:
        """So many of this story from here to there, beside what is wanted."""
        with self._lock:
            self._asked += [(flow, [story] * referrals)]

    def idle(self) -> bool:
        """Whether everything wanted has been started. Raises what went wrong."""
        if self._failed is not None:
            raise self._failed
        with self._lock:
            return self._wanted == 0 and not self._asked

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nobody works meanwhile."""
        with self._working:
            yield

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                with self._working:
                    started = self._start_some()
                    came = [staff.work() for staff in self.staff.values()]
                if not started and not any(came):
                    self._stop.wait(IDLE_S)
        except Exception as error:  # noqa: BLE001 # raised again by `idle`
            self._failed = error

    def _start_some(self) -> bool:
        with self._lock:
            number = min(TOGETHER, self._wanted)
            asked = self._asked[0] if self._asked else None
        if asked is not None:
            self.staff[asked[0].sender].refer(asked[0].recipient, asked[1])
            with self._lock:
                del self._asked[0]
        if number:
            flow = next(self._flows)
            self.staff[flow.sender].refer(flow.recipient, list(islice(self._stories, number)))
            with self._lock:
                self._wanted -= number
        return number > 0 or asked is not None
