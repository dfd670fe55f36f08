"""The flow monitor: whom it names, and what it counts."""

from tests.guards.guard import Guard

MONITOR = "tests/unit/consumers/monitor"
UNBELIEVED = "consumers/monitor/forged_or_replayed.py"
RESTORED = (f"{MONITOR}/test_restored.py",)
REPLAYED = (f"{MONITOR}/test_replayed.py",)

AWAY = (f"{MONITOR}/test_away.py",)

KEPT = (f"{MONITOR}/test_kept.py",)

WATCH = (
    Guard(
        "what an agency has the monitor keep of a day is bounded",
        "consumers/monitor/kept.py",
        "        if before + size > MOST_A_DAY:\n",
        "        if False:\n",
        KEPT,
    ),
    Guard(
        "a waiting receipt that comes again takes nothing of its writer's share",
        "consumers/monitor/batch.py",
        "self._waits(found) or self._keeps(",
        "self._keeps(",
        KEPT,
    ),
    Guard(
        "a copy of a genuine record is no forgery",
        UNBELIEVED,
        "        if topic is not None and signed_for(topic, kafka_key(record)):\n",
        "        if False:\n",
        REPLAYED,
    ),
    Guard(
        "a record is called a copy only if the writer that it names owns the key",
        UNBELIEVED,
        "record is not None and writer_of(record) == owner and key.usable",
        "record is not None and key.usable",
        REPLAYED,
    ),
    Guard(
        "a key id without a valid signature accuses no agency",
        UNBELIEVED,
        "    return Forged(UNKNOWN, target)\n\n\ndef own_topic",
        "    return Forged(source, target)\n\n\ndef own_topic",
        REPLAYED,
    ),
    Guard(
        "whom to call about a copy is not the writer of the original",
        "consumers/monitor/needs.py",
        "target if kind is NeedKind.REPLAYED or source == UNKNOWN else source",
        "target if source == UNKNOWN else source",
        REPLAYED,
    ),
    Guard(
        "what a restored recipient has lost counts for no deadline at its sender",
        "referral_bus/ledger/referrals.py",
        "seen = None if status is Status.REQUESTED else referral.acknowledged_at or at",
        "seen = referral.acknowledged_at or (None if status is Status.REQUESTED else at)",
        RESTORED,
    ),
    Guard(
        "what a restored recipient says by itself does the same at its own side",
        "referral_bus/ledger/own_events.py",
        "    if changed != referral:\n        referrals.save(tx, changed)\n    said",
        "    said",
        RESTORED,
    ),
    Guard(
        "a word that is taken a second time is not new",
        "consumers/agency/judge_event.py",
        "        return min(self.event.occurred_at, self.context.now)\n",
        "        return self.context.now\n",
        RESTORED,
    ),
    Guard(
        "a referral that its recipient refuses is not answered by what the recipient has said before",
        "referral_bus/ledger/receipts.py",
        "        _taken_back_if_unknown(tx, held, receipt.issued_at)\n",
        "        pass\n",
        RESTORED,
    ),
    Guard(
        "no agency is silent because the monitor did not read",
        "consumers/monitor/overview.py",
        "reading = ReadSpan(gap_ended_at(tx), complete)",
        "reading = ReadSpan(gap_ended_at(tx), now)",
        AWAY,
    ),
    Guard(
        "after a gap each agency has time to be heard again",
        "consumers/monitor/silence.py",
        'if reading.since is not None and reading.until - reading.since <= limits["always"]:',
        "if False:",
        AWAY,
    ),
    Guard(
        "the monitor forgets words under an incarnation that is over",
        "consumers/monitor/stages.py",
        "sa.and_(_F.acted_in > 0, _F.acted_in == _F.spoken_in)",
        "_F.acted_in > 0",
        RESTORED,
    ),
    Guard(
        "a damaged database ends the monitor",
        "consumers/monitor/store.py",
        '        if found == "damaged":\n',
        "        if False:\n",
        (f"{MONITOR}/test_keeping.py",),
    ),
    Guard(
        "a defect of ours is no outage of the monitor's database",
        "consumers/monitor/store.py",
        "        if found is None:\n            raise\n",
        '        found = found or "unreadable"\n',
        (f"{MONITOR}/test_keeping.py",),
    ),
)
