"""Taking in: who is believed, what is known, what stands in order, what is judged."""

from tests.guards.guard import Guard

RECORD = "referral_bus/wire/record.py"
JUDGING = "consumers/agency/judge_event.py"
TAKING = "consumers/agency/take_in.py"
LOOP = "consumers/agency/ingest.py"
UNIT = "tests/unit/consumers/agency"
WIRE = ("tests/unit/referral_bus/wire", "tests/contract/test_vectors.py")
TAKE_IN = (f"{UNIT}/test_take_in.py", f"{UNIT}/test_take_in_content.py", f"{UNIT}/test_automatic_answers.py")
INGEST_LOOP = (f"{UNIT}/test_ingest.py",)

BOUNDS = (f"{UNIT}/test_bounds.py",)

INGEST = (
    Guard(
        "what cannot be decoded is counted against its writer",
        TAKING,
        '                    quotas.charge(tx, writer, "unknown", context.now)\n',
        "                    pass\n",
        BOUNDS,
    ),
    Guard(
        "copies of one record are counted against its writer once",
        TAKING,
        "                if context.arriving and not is_kept(tx, letter):\n",
        "                if context.arriving:\n",
        BOUNDS,
    ),
    Guard(
        "of what is refused so many bytes are kept",
        "referral_bus/ledger/dead_letters.py",
        "sa.or_(ranked.count > most, ranked.total > most_bytes)",
        "ranked.count > most",
        BOUNDS,
    ),
    Guard(
        "of what is held so many bytes are kept",
        "referral_bus/ledger/held_events.py",
        "    return bool(count >= MOST_HELD or size >= MOST_HELD_BYTES)\n",
        "    return bool(count >= MOST_HELD)\n",
        BOUNDS,
    ),
    Guard(
        "an agency's notices push out no more than its own",
        "consumers/monitor/announcements.py",
        '        _drop_beyond(tx, {str(row["agency"]) for row in found.values()})\n',
        "",
        ("tests/unit/consumers/monitor/test_hostile.py",),
    ),
    Guard(
        "no writer fills the disk with what is refused",
        "referral_bus/ledger/quotas.py",
        "    if before >= MOST_A_DAY:\n",
        "    if False:\n",
        BOUNDS,
    ),
    Guard(
        "refused events are counted against their writer",
        JUDGING,
        "            quotas.charge(self.tx, event.writer, event.record, self.context.now)\n",
        "            pass\n",
        BOUNDS,
    ),
    Guard(
        "erasures of what nobody knows are counted against their writer",
        "consumers/agency/judge_erasure.py",
        "        quotas.charge(tx, event.writer, event.record, context.now)\n",
        "        pass\n",
        BOUNDS,
    ),
    Guard(
        "what is held already is never left for want of room",
        JUDGING,
        "        if self.context.arriving:\n",
        "        if True:\n",
        BOUNDS,
    ),
    Guard(
        "of many copies one answer is owed",
        "referral_bus/ledger/receipts_owed.py",
        '.prefix_with("OR REPLACE", dialect="sqlite")',
        '.prefix_with("OR IGNORE", dialect="sqlite")',
        TAKE_IN,
    ),
    Guard(
        "a stranger is no part of a referral's history",
        "referral_bus/ledger/queries.py",
        ", _E.writer.in_(parties))",
        ")",
        BOUNDS,
    ),
    Guard(
        "a status that we do not know is not kept",
        "referral_bus/ledger/own_events.py",
        'status if status is not None and code_known("status", status) else None',
        "status",
        BOUNDS,
    ),
    Guard(
        "no writer fills the disk with what is held",
        "referral_bus/ledger/held_events.py",
        "    if kept is None and _full(tx, who):\n",
        "    if False:\n",
        ("tests/unit/consumers/agency/test_held_letters.py",),
    ),
    Guard(
        "size before anything else",
        RECORD,
        "if raw.size > MAX_VALUE + 4096 or len(raw.value) > MAX_VALUE or len(raw.headers) > MAX_HEADERS:",
        "if False:",
        WIRE,
    ),
    Guard(
        "signature",
        RECORD,
        "if not verify(key.raw, signature, signature_input(directory.federation, name, raw.topic, raw.key, raw.value)):",
        "if False:",
        WIRE,
    ),
    Guard("key valid now", RECORD, "return owner if key.usable(now) else Code.SENDER_REVOKED", "return owner", WIRE),
    Guard("the writer owns the key", RECORD, "if writer_of(record) != owner:", "if False:", WIRE),
    Guard(
        "addressed to us",
        RECORD,
        "if here and isinstance(record, Event | StorageReceipt) and record.addressee != here:",
        "if False:",
        WIRE,
    ),
    Guard("the Kafka key is the referral's", RECORD, "if kafka_key(record) != raw.key:", "if False:", WIRE),
    Guard(
        "only our inbox is for us",
        TAKING,
        "case _ if raw.topic != context.register.inbox(context.here):",
        "case _ if False:",
        (f"{UNIT}/test_take_in.py", f"{UNIT}/test_receipts_and_announcements.py"),
    ),
    Guard(
        "an announcement counts from its own topic only",
        TAKING,
        "if raw.topic == context.register.announcement(record.agency):",
        "if True:",
        (f"{UNIT}/test_receipts_and_announcements.py", f"{UNIT}/test_take_in.py"),
    ),
    Guard("a known event is not stored again", JUDGING, "if earlier is not None:", "if False:", TAKE_IN),
    Guard("a held event stays held", JUDGING, "if held_code is not None:", "if False:", TAKE_IN),
    Guard("a place that is taken is taken", JUDGING, "if event.place <= self.places.held:", "if False:", TAKE_IN),
    Guard("order", JUDGING, "if not event.follows <= self.places.reached:", "if False:", TAKE_IN),
    Guard(
        "an older register waits for the newer one",
        JUDGING,
        "if event.register_version > context.register.version or (starts and context.register.expired(context.now)):",
        "if False:",
        TAKE_IN,
    ),
    Guard(
        "only a party speaks",
        JUDGING,
        "known if known is not None and known.peer == event.writer else None",
        "known",
        TAKE_IN,
    ),
    Guard(
        "a referral begins once",
        JUDGING,
        "if referral is not None:\n        return _Fault",
        "if False:\n        return _Fault",
        TAKE_IN,
    ),
    Guard("only a sender begins", JUDGING, "if event.writer != event.referral_sender:", "if False:", TAKE_IN),
    Guard(
        "an agreement is needed",
        JUDGING,
        "if not context.register.agreed(event.writer, context.here, context.now):",
        "if False:",
        TAKE_IN,
    ),
    Guard(
        "consent names us and is valid",
        JUDGING,
        "if body.consent.recipient != self.context.here or body.consent.expires_at <= self.context.now:",
        "if False:",
        TAKE_IN,
    ),
    Guard(
        "an unknown code is held, not guessed",
        JUDGING,
        "if unknown_codes(event) or unknown_codes(body):",
        "if False:",
        TAKE_IN,
    ),
    Guard(
        "only the recipient says a status", JUDGING, "if (status is None) != event.from_sender:", "if False:", TAKE_IN
    ),
    Guard(
        "life cycle",
        JUDGING,
        "if status is not None and not self._may_follow(referral, status):",
        "if False:",
        (*TAKE_IN, "tests/property/test_every_transition.py"),
    ),
    Guard(
        "a refused body's status counts",
        JUDGING,
        "if referral is not None and status is not None and not event.from_sender and self._may_follow(referral, status):",
        "if False:",
        TAKE_IN,
    ),
    Guard(
        "the first word of a restored recipient is taken as it is",
        JUDGING,
        "restored = self.event.incarnation > self.places.reached.incarnation > 0",
        "restored = False",
        ("tests/unit/producers/test_restoring.py",),
    ),
    Guard(
        "an automatic word meets no deadline",
        JUDGING,
        "return self.event.incarnation > max(1, self.places.reached.incarnation)",
        "return False",
        ("tests/unit/producers/test_restoring.py",),
    ),
    Guard(
        "the position is kept with what was read",
        LOOP,
        "            dropped = keep_places(tx, batch, verdicts, self._dead_letters_kept)\n            received_events.read_up_to(tx, reached)\n",
        "            dropped = keep_places(tx, batch, verdicts, self._dead_letters_kept)\n",
        INGEST_LOOP,
    ),
    Guard(
        "a topic made anew is read from its start",
        "consumers/agency/subscriptions.py",
        "        if saved is not None and saved.topic_id == topic.topic_id:\n",
        "        if saved is not None:\n",
        INGEST_LOOP,
    ),
    Guard(
        "a failing record stops no others",
        LOOP,
        "            if len(batch) > 1:\n                for delivery in batch:\n                    self.take([delivery])\n                return self._move(batch, passed, standing)\n",
        "",
        INGEST_LOOP,
    ),
    Guard(
        "a held event that we fail on stops no other",
        LOOP,
        "                most = 1\n                continue\n",
        "                raise\n",
        INGEST_LOOP,
    ),
    Guard(
        "trouble with the ledger skips nothing",
        LOOP,
        "        except (Unreachable, LedgerUnusable):  # no fault of the record's: nothing is skipped\n            raise\n",
        "",
        INGEST_LOOP,
    ),
)
