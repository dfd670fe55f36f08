"""Sending: what leaves when, and what a receipt may do to it."""

from tests.guards.guard import Guard

RELAY = "producers/relay.py"
LEDGER_SENDING = "referral_bus/ledger/sending.py"
TURNS = "referral_bus/ledger/turns.py"
RESTORED = "referral_bus/ledger/restored_peers.py"
SETTLING = "referral_bus/ledger/settling.py"
PEERS = "referral_bus/ledger/peers.py"
UNIT = "tests/unit/producers"
RELAYS = (
    f"{UNIT}/test_pauses.py",
    f"{UNIT}/test_relay.py",
    f"{UNIT}/test_relay_and_the_host.py",
    f"{UNIT}/test_relay_keys_and_restarts.py",
    "tests/unit/consumers/agency/test_receipts_and_announcements.py",
)
FAILURES = (f"{UNIT}/test_send_failures.py",)
RESTORING = (f"{UNIT}/test_restoring.py", f"{UNIT}/test_restored_peers.py", f"{UNIT}/test_new_start.py")

SENDING = (
    Guard(
        "the bytes are kept before they go",
        LEDGER_SENDING,
        "    tx.connection.execute(_REMEMBER, digests)\n",
        "",
        RELAYS,
    ),
    Guard(
        "why Kafka did not take an event is written down",
        LEDGER_SENDING,
        "tx.connection.execute(again if failure is None else again.values(send_failure=failure))",
        "tx.connection.execute(again)",
        FAILURES,
    ),
    Guard(
        "what Kafka has taken fails no more",
        LEDGER_SENDING,
        ".values(acknowledged_at=now, send_failure=None)",
        ".values(acknowledged_at=now)",
        FAILURES,
    ),
    Guard(
        "no other side is blamed while our own service is stopped",
        "referral_bus/stages.py",
        "if service is OwnService.WORKS or standing.actor in (Actor.NONE, STAFF[side]):",
        "if True:",
        ("tests/unit/referral_bus/test_stages.py",),
    ),
    Guard(
        "only the oldest is sent again",
        TURNS,
        "return sa.or_(_OUT.state == State.NEW, _OUT.asked, _OUT.erasure, sa.not_(has_older()))",
        "return sa.true()",
        RELAYS,
    ),
    Guard(
        "pauses grow to a day and no further",
        TURNS,
        "return now + min(first_pause * (1 << min(self.sends, 20)), LONGEST_PAUSE)",
        "return now + first_pause",
        RELAYS,
    ),
    Guard(
        "one recipient delays no other",
        TURNS,
        "[number for number, to in in_flight.items() if to == addressee]",
        "list(in_flight)",
        RELAYS,
    ),
    Guard(
        "nothing is sealed to an expired key", PEERS, "if key.valid_from <= now < key.valid_until", "if True", RELAYS
    ),
    Guard(
        "nothing is sealed to a key that is gone",
        "producers/sealed.py",
        "return None if key is None or key_id_of(key.public_key) == row.gone_key_id else key",
        "return key",
        RELAYS,
    ),
    Guard(
        "a row without a key waits",
        RELAY,
        "            sending.waits_for_key(tx, [row.number for row in keyless if key_for(row, peers, self._clock()) is None])\n",
        "            sending.receipts_sent(tx, ())\n",
        RELAYS,
    ),
    Guard(
        "a new key wakes what waits for it",
        LEDGER_SENDING,
        ".values(state=State.NEW.value, next_send_at=now))\n    resend_all(tx, addressee, now)",
        ".values(state=State.WAITING_FOR_KEY.value))\n    resend_all(tx, addressee, now)",
        RELAYS,
    ),
    Guard(
        "an inbox made anew gets everything again",
        LEDGER_SENDING,
        "        tx.connection.execute(sa.update(tables.inboxes).where(inbox.code == addressee).values(topic_id=topic_id))\n        resend_all(tx, addressee, now)\n",
        "        tx.connection.execute(sa.update(tables.inboxes).where(inbox.code == addressee).values(topic_id=topic_id))\n",
        (*RELAYS, "tests/unit/consumers/agency/test_ingest.py"),
    ),
    Guard(
        "after a start the unacknowledged goes again",
        LEDGER_SENDING,
        ".values(next_send_at=now, asked=True))\n\n\n@dataclass(frozen=True, slots=True)\nclass OwedReceipts",
        ".values(asked=False))\n\n\n@dataclass(frozen=True, slots=True)\nclass OwedReceipts",
        RELAYS,
    ),
    Guard(
        "expired consent ends what waits",
        LEDGER_SENDING,
        "sa.or_(tables.referrals.c.consent_expires_at <= now, tables.referrals.c.peer.in_(departed))",
        "tables.referrals.c.peer.in_(departed)",
        (f"{UNIT}/test_consent_over.py",),
    ),
    Guard(
        "nothing is over by our clock alone",
        RELAY,
        "sending.give_up(tx, self._register().departed(agreed), agreed)",
        "sending.give_up(tx, self._register().departed(now), now)",
        (f"{UNIT}/test_consent_over.py",),
    ),
    Guard(
        "what was erased meanwhile does not go",
        LEDGER_SENDING,
        "there = sa.or_(_OUT.state.not_in(FINAL), _OUT.value.is_not(None))",
        "there = sa.true()",
        (f"{UNIT}/test_relay.py",),
    ),
    Guard(
        "what is final waits for no key",
        LEDGER_SENDING,
        '"next_send_at": None}\n    still = (_OUT.number.in_(numbers), _OUT.state.not_in(FINAL))\n',
        '"next_send_at": None}\n    still = (_OUT.number.in_(numbers),)\n',
        (f"{UNIT}/test_relay.py",),
    ),
    Guard(
        "no sealed content after consent",
        TURNS,
        "            body = encode(StatusBody())\n",
        "            pass\n",
        (f"{UNIT}/test_consent_over.py",),
    ),
    Guard(
        "a receipt counts from the addressee only",
        SETTLING,
        'tables.sent_values.c.value_sha256 == sa.bindparam("of_value"), _OUT.addressee == sa.bindparam("of_addressee")',
        'tables.sent_values.c.value_sha256 == sa.bindparam("of_value"), sa.literal("") != sa.bindparam("of_addressee")',
        RELAYS,
    ),
    Guard(
        "a receipt of an older incarnation is not heard",
        SETTLING,
        "if hear_incarnation(tx, receipt.writer, receipt.incarnation, now) > receipt.incarnation:",
        "if hear_incarnation(tx, receipt.writer, receipt.incarnation, now) < 0:",
        (*RELAYS, *RESTORING),
    ),
    Guard(
        "a final word stands within an incarnation",
        SETTLING,
        'if State(held["state"]) in FINAL and receipt.incarnation <= (held["receipt_incarnation"] or 0):',
        "if False:",
        RELAYS,
    ),
    Guard(
        "what is final is not opened by another word", SETTLING, "elif State(row.state) not in FINAL:", "else:", RELAYS
    ),
    Guard(
        "RESEAL is about the bytes last sent",
        SETTLING,
        "elif outcome is Outcome.RESEAL and _is_last_sent(row, item):",
        "elif outcome is Outcome.RESEAL:",
        RELAYS,
    ),
    Guard(
        "MISSING sends the first one that is missing",
        SETTLING,
        "        _send_missing(tx, row, item.held, now)\n",
        "        return\n",
        RELAYS,
    ),
    Guard(
        "what follows a missing one goes when that is final",
        SETTLING,
        "if following.missed or (following.next_send_at is None and State(following.state) in (State.SENT, State.HELD)):",
        "if False:",
        RELAYS,
    ),
    Guard(
        "a held event behind another is not forgotten",
        SETTLING,
        "State(following.state) in (State.SENT, State.HELD)):",
        "State(following.state) is State.SENT):",
        RELAYS,
    ),
    Guard(
        "what is over is not armed again",
        SETTLING,
        "if following is None or State(following.state) in FINAL:",
        "if following is None:",
        (f"{UNIT}/test_consent_over.py",),
    ),
    Guard(
        "what waits for the held one is not asked for",
        SETTLING,
        "first.state in (State.HELD, State.UNDELIVERABLE):",
        "first.state is State.UNDELIVERABLE:",
        RELAYS,
    ),
    Guard(
        "a higher incarnation is noted",
        SETTLING,
        "        restored_peers.note(tx, code)\n",
        "        pass\n",
        RESTORING,
    ),
    Guard(
        "a restored peer gets everything again",
        RESTORED,
        "        reopen(tx, row.code, (row.reopened_to, upper), writing.now)\n",
        "",
        RESTORING,
    ),
    Guard(
        "a restored peer hears of erasures",
        RESTORED,
        "            tell(tx, left, ErasureKind.REQUESTED, writing)\n",
        "            pass\n",
        RESTORING,
    ),
    Guard(
        "a restored peer is served in steps",
        RESTORED,
        ".limit(TOMBSTONES)",
        "",
        RESTORING,
    ),
    Guard(
        "what a restored peer has spoken of is not sent again",
        LEDGER_SENDING,
        "_OUT.number <= up_to, sa.not_(spoken))",
        "_OUT.number <= up_to)",
        RESTORING,
    ),
    Guard(
        "an answer to nobody is forgotten",
        "producers/receipts.py",
        "                sending.receipts_sent(tx, [number for owed in batches for number in owed.numbers])\n",
        "                pass\n",
        ("tests/unit/consumers/agency/test_take_in.py",),
    ),
    Guard(
        "a new ledger begins above a lost one",
        "referral_bus/ledger/restoring.py",
        "    return max(2, (now - _FIRST_MINUTE) // timedelta(minutes=1))\n",
        "    return 1\n",
        (f"{UNIT}/test_new_start.py",),
    ),
    Guard(
        "what is erased never goes again",
        LEDGER_SENDING,
        "State.STORED, State.REFUSED, State.HELD)), kept)",
        "State.STORED, State.REFUSED, State.HELD)))",
        RESTORING,
    ),
    Guard(
        "the marks are durable before anything leaves",
        RELAY,
        "        if ready:\n            self._before_sending()\n",
        "",
        (f"{UNIT}/test_outside_backups.py",),
    ),
    Guard(
        "a ledger that is behind is refused",
        "referral_bus/outside_backups.py",
        "if here < self.high_water():",
        "if False:",
        RESTORING,
    ),
    Guard(
        "the mark only rises",
        "referral_bus/outside_backups.py",
        "        if mark <= self.high_water():\n            return\n",
        "",
        (f"{UNIT}/test_outside_backups.py",),
    ),
    Guard(
        "no cursor is given twice",
        "referral_bus/ledger/restoring.py",
        "    _number_on(tx, incarnation * NUMBERS)\n",
        "",
        RESTORING,
    ),
    Guard(
        "a new incarnation exceeds every one used",
        "deploy/app/backups.py",
        "incarnation = max(own_incarnation(tx), outside.high_water().incarnation) + 1",
        "incarnation = own_incarnation(tx) + 1",
        RESTORING,
    ),
    Guard(
        "all that stays is read before the ledger is replaced",
        "deploy/app/backups.py",
        "        _check_what_stays(desk)\n",
        "",
        ("tests/unit/deploy/app/test_backup_commands.py",),
    ),
    Guard(
        "a restored recipient says what it knows",
        "referral_bus/ledger/restoring.py",
        "        write_note(tx, referrals.from_row(row), writing)\n",
        "        continue\n",
        RESTORING,
    ),
    Guard(
        "a restored ledger reads its inbox again",
        "referral_bus/ledger/restoring.py",
        "    tx.connection.execute(sa.delete(tables.positions))\n",
        "",
        RESTORING,
    ),
)
