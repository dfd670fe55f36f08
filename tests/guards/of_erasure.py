"""Erasure: what goes, what stays, who is told, who may ask."""

from tests.guards.guard import Guard

JUDGING = "consumers/agency/judge_event.py"
TAKING = "consumers/agency/judge_erasure.py"
ERASING = "referral_bus/ledger/erasures.py"
RULES = ("tests/unit/consumers/agency/test_judge_erasure.py", "tests/unit/producers/test_withdrawals.py")
RETAINING = ("tests/unit/producers/test_retention.py",)
FILES = ("tests/unit/deploy/app/test_erasure_commands.py",)
RESTORING = ("tests/unit/producers/test_restoring.py",)

TOLD = ("tests/unit/producers/test_erasures_told_again.py",)

ERASURE = (
    Guard(
        "what our own system has not erased yet is kept until it has",
        "referral_bus/ledger/retention.py",
        ", sa.not_(wait_for_us())",
        "",
        TOLD,
    ),
    Guard(
        "a wish that was lost with its ledger is told again",
        "referral_bus/ledger/restoring.py",
        "    if now.asked_by_us and not backup.asked_by_us:\n",
        "    if False:\n",
        TOLD,
    ),
    Guard(
        "a confirmation that was lost with its ledger is said again",
        "referral_bus/ledger/restoring.py",
        "    if now.confirmed_at is not None and backup.confirmed_at is None and now.asked_by_peer:\n",
        "    if False:\n",
        TOLD,
    ),
    Guard(
        "nothing is confirmed that nobody was asked",
        "referral_bus/ledger/handovers.py",
        "_E.record == ErasureEvent.record, told_to_erase)",
        "_E.record == ErasureEvent.record)",
        TOLD,
    ),
    Guard(
        "nobody chases who has nothing",
        "referral_bus/ledger/receipts.py",
        "peer_took(tx, key, now if outcome is Outcome.REFUSED else None, key_id)",
        "peer_took(tx, key, None, key_id)",
        TOLD,
    ),
    Guard(
        "who has it again is chased again",
        "referral_bus/ledger/receipts.py",
        "        peer_took(tx, key, now if outcome is Outcome.REFUSED else None, key_id)\n",
        "        if outcome is Outcome.REFUSED:\n            peer_took(tx, key, now, key_id)\n",
        TOLD,
    ),
    Guard(
        "a late wish has its own time",
        ERASING,
        "        asked_at=now if first else there.asked_at,\n",
        "        asked_at=there.asked_at,\n",
        TOLD,
    ),
    Guard("no late copy passes a tombstone", JUDGING, "        if self._erased():\n", "        if False:\n", RULES),
    Guard(
        "the recipient's retention ends its words",
        JUDGING,
        "return self.referral.peer_forgot_at is not None",
        "return False",
        RULES,
    ),
    Guard("an erasure has one effect", TAKING, "    if earlier is not None:\n", "    if False:\n", RULES),
    Guard("an unknown reason waits", TAKING, "    if unknown_codes(event):\n", "    if False:\n", RULES),
    Guard(
        "only the recipient gives the final status",
        TAKING,
        "if (event.status is None) != event.from_sender or (event.status is not None and event.status not in ENDED):",
        "if False:",
        RULES,
    ),
    Guard(
        "about an unknown referral only its sender is believed",
        TAKING,
        "if event.from_sender else Code.REFERRAL_UNKNOWN",
        "if True else Code.REFERRAL_UNKNOWN",
        RULES,
    ),
    Guard(
        "a third agency erases nothing",
        TAKING,
        "if about is None or about.peer != event.writer:",
        "if about is None:",
        RULES,
    ),
    Guard("a request is answered", TAKING, "    if asked or new:\n", "    if new:\n", TOLD),
    Guard(
        "an answer is not answered", TAKING, "    if asked or new:\n        tell", "    if True:\n        tell", RULES
    ),
    Guard(
        "the recipient's retention erases nothing at the sender",
        TAKING,
        "if reason is ErasureReason.RETENTION and kind is ErasureKind.REQUESTED and event.status is not None:",
        "if False:",
        RULES,
    ),
    Guard(
        "the final status is taken in order",
        TAKING,
        "event.place <= max(held, status_place)",
        "event.place <= held",
        RULES,
    ),
    Guard(
        "an older final status is not taken",
        TAKING,
        "event.place <= max(held, status_place)",
        "event.place <= taken",
        RULES,
    ),
    Guard(
        "the referral and its key go",
        ERASING,
        "    run(sa.delete(tables.referrals).where(in_referrals))\n",
        "",
        (*RULES, *FILES),
    ),
    Guard(
        "the bodies go",
        ERASING,
        "    run(sa.update(tables.events).where(in_events).values(body=None))\n",
        "",
        (*FILES, *RULES),
    ),
    Guard(
        "what is sealed in the outbox goes",
        "referral_bus/ledger/outbox.py",
        "    tx.connection.execute(sa.update(tables.outbox).where(*of_it).values(value=None))\n",
        "",
        (*FILES, *RULES),
    ),
    Guard(
        "what waits in the outbox never leaves",
        "referral_bus/ledger/outbox.py",
        "    tx.connection.execute(sa.update(tables.outbox).where(*of_it, _OUT.state.not_in(FINAL)).values(over))\n",
        "",
        RULES,
    ),
    Guard(
        "what was not handed over never is",
        ERASING,
        "    run(sa.delete(tables.handovers).where(in_handovers, tables.handovers.c.done_at.is_(None)))\n",
        "",
        FILES,
    ),
    Guard("dead letters go", ERASING, "    dead_letters.forget(tx, key)\n", "", RULES),
    Guard("an idempotency key brings nothing back", ERASING, "    forget_answer(tx, key)\n", "", RULES),
    Guard(
        "our own system's word is passed on once",
        ERASING,
        "if left is None or left.confirmed_at is not None:",
        "if left is None:",
        RULES,
    ),
    Guard(
        "a word about an erasure waits for no other",
        "referral_bus/ledger/outbox_due.py",
        "_OUT.resend_requested, _OUT.erasure, ",
        "_OUT.resend_requested, ",
        RULES,
    ),
    Guard(
        "what is erased here stays erased whatever a receipt says",
        "referral_bus/ledger/receipts.py",
        '    if OutboxState(held["state"]) is OutboxState.ERASED:\n        return\n',
        "",
        TOLD,
    ),
    Guard(
        "the write-ahead log is emptied",
        "consumers/agency/maintenance.py",
        "    if not ledger.empty_log():\n        return False\n",
        "",
        FILES,
    ),
    Guard(
        "what is deleted leaves the file",
        "referral_bus/ledger/store.py",
        '"secure_delete=ON"',
        '"secure_delete=OFF"',
        (*FILES, "tests/unit/referral_bus/ledger/test_store.py"),
    ),
    Guard(
        "the journal erases again after a restore",
        "referral_bus/ledger/restoring.py",
        "        if key not in backup:\n            _erase_again(tx, left, writing)\n",
        "        pass\n",
        RESTORING,
    ),
    Guard(
        "the recipient's last word is said when it may not have been heard",
        "referral_bus/ledger/retention.py",
        "if unheard and referral.side is Side.RECIPIENT:",
        "if False:",
        RETAINING,
    ),
    Guard(
        "a restored recipient that has forgotten is asked to erase",
        JUDGING,
        "if newer and not left.needs_confirmation and left.side is Side.SENDER and isinstance(self.event, StatusEvent):",
        "if False:",
        TOLD,
    ),
    Guard(
        "a clock that runs ahead erases nothing",
        "referral_bus/ledger/peers.py",
        "return min(now, agreeing[witnesses - 1])",
        "return now",
        RETAINING,
    ),
    Guard(
        "expired consent becomes an erasure",
        "referral_bus/ledger/retention.py",
        "over = _R.consent_expires_at < writing.now - keep.consent_grace",
        "over = sa.false()",
        RETAINING,
    ),
)
