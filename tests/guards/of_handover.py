"""Hand-over, dead letters and supervision: in order, patient, and never in the way of others."""

from tests.guards.guard import Guard

LEDGER = "referral_bus/ledger/handovers.py"
HANDOVER = "consumers/agency/handover.py"
WEBHOOK = "consumers/agency/webhook.py"
LETTERS = "consumers/agency/dead_letters.py"
UNIT = "tests/unit/consumers/agency"
HANDED = (f"{UNIT}/test_handover.py", f"{UNIT}/test_handover_attempts.py")
CALLS = (f"{UNIT}/test_webhook.py",)
SETTLED = (f"{UNIT}/test_dead_letters_settled.py", f"{UNIT}/test_dead_letters_kept.py", f"{UNIT}/test_dead_letters.py")
SUPERVISED = ("tests/unit/deploy/app/test_supervisor.py", "tests/unit/deploy/app/test_watchdog.py")

HAND_OVER = (
    Guard("per referral in order", LEDGER, "when, sa.not_(behind))", "when)", HANDED),
    Guard(
        "a system that is down uses up no attempt",
        HANDOVER,
        "                    down.append(received.cursor)\n",
        "                    handovers.failed(tx, received.cursor, self._patience, writing.now)\n",
        HANDED,
    ),
    Guard(
        "a handler that does not return is told",
        HANDOVER,
        "        self._tell_of_slow_ones()\n",
        "",
        HANDED,
    ),
    Guard(
        "a failure is a dead letter in the end",
        LEDGER,
        "        dead_letters.exhausted(tx, number, now)\n",
        "        pass\n",
        HANDED,
    ),
    Guard(
        "what was taken is not handed over again",
        LEDGER,
        "query = _received().where(_H.done_at.is_(None), when",
        "query = _received().where(when",
        HANDED,
    ),
    Guard(
        "while it is down all rests",
        HANDOVER,
        "        if room > 0:\n",
        "        room = max(room, 1)\n        if room > 0:\n",
        HANDED,
    ),
    Guard(
        "only ids are posted",
        WEBHOOK,
        '        "cursor": received.cursor,\n',
        '        "cursor": received.cursor,\n        "status": received.status,\n',
        CALLS,
    ),
    Guard(
        "half an answer acknowledges nothing", WEBHOOK, "            if told.cut_off:", "            if False:", CALLS
    ),
    Guard("each secret of a rotation signs", WEBHOOK, "for secret in secrets]", "for secret in secrets[:1]]", CALLS),
    Guard(
        "a certificate must be trusted",
        WEBHOOK,
        "return self._trust.wrap_socket(line, server_hostname=self._host)",
        "return line",
        CALLS,
    ),
    Guard(
        "an erasure is never discarded",
        LETTERS,
        "    if erasures:\n",
        "    if False:\n",
        SETTLED,
    ),
    Guard(
        "a discarded new referral is answered",
        LETTERS,
        "    write_word(tx, referral, Status.REJECTED, body, writing)\n",
        "",
        SETTLED,
    ),
    Guard(
        "nothing is discarded that is over already",
        "consumers/agency/judge_event.py",
        "if self._erased() or self.event.follows",
        "if self.event.follows",
        SETTLED,
    ),
    Guard(
        "refused ones are bounded",
        LETTERS,
        "return dead_letters.drop_beyond(tx, most) if not_taken else 0",
        "return 0",
        SETTLED,
    ),
    Guard(
        "the same bytes are one dead letter",
        "referral_bus/ledger/dead_letters.py",
        "    if known is None:\n",
        "    if True:\n",
        SETTLED,
    ),
    Guard(
        "a thread that hangs ends the process",
        "deploy/app/service/watchdog.py",
        "                    end(STUCK)\n",
        "                    pass\n",
        SUPERVISED,
    ),
    Guard(
        "a machine that slept accuses nobody",
        "deploy/app/service/watchdog.py",
        "self._seen if took_s < LATE_ROUNDS * self.round_s else {}",
        "self._seen",
        SUPERVISED,
    ),
    Guard(
        "the pause of a failing thread grows",
        "deploy/app/service/supervisor.py",
        "failures = 1 if went_round else failures + 1",
        "failures = 1",
        SUPERVISED,
    ),
    Guard(
        "a ledger that cannot be used ends everything",
        "deploy/app/service/supervisor.py",
        "            self.stop.set()\n            return None\n",
        "            return None\n",
        SUPERVISED,
    ),
)
