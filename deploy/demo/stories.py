"""The stories, one function each. Every person in them is made up."""

import random
from collections.abc import Callable
from datetime import timedelta

from deploy.demo.story import Story
from deploy.demo.world import World
from referral_bus.errors import Refused
from schemas.lifecycle import Status

Tell = Callable[[World, random.Random, Callable[[str], None]], None]
PATIENCE = timedelta(seconds=3)  # a deadline short enough to pass while the story runs

UNANSWERED_FROM = "child-adaptation"  # the sender of the one referral that is left open


def psychological_support(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(a) family-women refers a woman to public-health for psychological support, urgent.")
    story, to = Story(world, random_source, "family-women", say), "public-health"
    referral = story.refer(to, "mhpss", "Synthetic: sleeps badly and asks for somebody to talk to.")
    story.tell(to, referral, "see")
    story.tell(to, referral, "accept")
    appointment = {"time": world.clients[to].clock() + timedelta(days=2), "place": "Test clinic, room 4"}
    story.tell(to, referral, "note", business_status="appointment-scheduled", appointment=appointment)
    story.tell(to, referral, "start")
    story.tell(to, referral, "complete", outcome="provided")


def legal_aid(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(b) barqaror-hayot refers to law-university; it is not eligible there, and justice is suggested.")
    story = Story(world, random_source, "barqaror-hayot", say)
    first = story.refer("law-university", "legal-aid", "Synthetic: needs help with inheritance papers.")
    story.tell("law-university", first, "see")
    story.tell("law-university", first, "reject", outcome_reason="not-eligible", suggested_agency="justice")
    say("    The person agrees to justice too: a new referral, with a new consent, replaces the first.")
    need = "Synthetic: needs help with inheritance papers; the legal clinic could not take it."
    second = story.refer("justice", "legal-aid", need, replaces=first)
    story.tell("justice", second, "accept")
    story.tell("justice", second, "start")
    story.tell("justice", second, "complete", outcome="provided")


def silence(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say(f"(c) {UNANSWERED_FROM} refers a child to public-education, which sees the referral and does not answer.")
    story, to = Story(world, random_source, UNANSWERED_FROM, say), "public-education"
    referral = story.send(to, "education", "Synthetic: missed two made-up school years.", within=PATIENCE)
    story.until_stored(referral)
    story.tell(to, referral, "see")
    client = world.clients[story.sender]
    story.until(lambda: client.case(str(referral)).standing.overdue(client.clock()))
    story.why(referral)


def away(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(d) public-health refers to istiqboli-avlod, whose service announced its keys and then went off.")
    story, to = Story(world, random_source, "public-health", say), "istiqboli-avlod"
    world.stop_service(to)
    referral = story.send(to, "women-gbv", "Synthetic: asks for a made-up counsellor.")
    story.until_sent(referral)
    story.why(referral)
    say("    istiqboli-avlod starts its service again.")
    world.start_services([to])
    story.until_stored(referral)
    story.tell(to, referral, "accept")
    story.tell(to, referral, "start")
    story.tell(to, referral, "complete", outcome="provided")


def cancellation(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(e) Cancellations: one before the recipient has accepted, two after: one is granted, one refused.")
    story, to = Story(world, random_source, "mahalla", say), "barqaror-hayot"
    early = story.refer(to, "mhpss", "Synthetic: a referral made too soon.")
    world.clients["mahalla"].move("cancel", str(early), {})
    story.until_status(early, Status.CANCELLED)
    for verb, detail in (("confirm-cancel", {}), ("refuse-cancel", {"text": "Synthetic: the first visit was today."})):
        later = story.refer(to, "mhpss", "Synthetic: help that may not be wanted any more.")
        story.tell(to, later, "accept")
        story.tell("mahalla", later, "cancel")
        story.tell(to, later, verb, **detail)
        if verb == "refuse-cancel":
            story.tell(to, later, "start")
            story.tell(to, later, "complete", outcome="partly-provided")


def question(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(f) preschool-education asks family-women for information, and gets it.")
    story, to = Story(world, random_source, "family-women", say), "preschool-education"
    referral = story.refer(to, "early-childhood", "Synthetic: a place in a made-up kindergarten.")
    story.tell(to, referral, "accept")
    story.tell(to, referral, "ask", text="Synthetic: which languages does the family speak?")
    story.why(referral)
    story.tell("family-women", referral, "answer", text="Synthetic: Uzbek, and a little Russian.")
    story.tell(to, referral, "start")
    story.tell(to, referral, "complete", outcome="enrolled")


def closure(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(g) mahalla closes; a new register names family-women as its successor.")
    story = Story(world, random_source, "istiqboli-avlod", say)
    referral = story.refer("mahalla", "cash-material", "Synthetic: a made-up stove is broken.")
    story.tell("mahalla", referral, "accept")
    world.close_agency("mahalla", "family-women")
    client = world.clients[story.sender]
    story.until(lambda: client.reload_register().version == 2)
    try:
        story.send("mahalla", "cash-material", "Synthetic: another made-up stove.")
    except Refused as refused:
        say(f"    new referrals: {refused}")
    successor = story.refer("family-women", "cash-material", "Synthetic: another made-up stove.")
    story.tell("family-women", successor, "accept")
    story.tell("family-women", successor, "complete", outcome="provided")
    say("    The open one is answered where it is.")
    story.tell("mahalla", referral, "start")
    story.tell("mahalla", referral, "complete", outcome="provided")


STORIES: tuple[Tell, ...] = (psychological_support, legal_aid, silence, away, cancellation, question, closure)
