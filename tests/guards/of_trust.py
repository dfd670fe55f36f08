"""Trust: what a stolen key, one liar, a wrong clock or a hand in the ledger's file can bring about."""

from tests.guards.guard import Guard

REVOKED = ("tests/unit/consumers/agency/test_revoked_keys.py",)
OUTSIDERS = ("tests/unit/consumers/agency/test_outsiders.py",)
ERASURES = ("tests/unit/consumers/agency/test_stolen_erasures.py",)
CORRECTED = ("tests/unit/consumers/agency/test_corrected.py",)
RESTORED = ("tests/unit/deploy/app/test_backup_commands.py",)
PLACES = "consumers/agency/believed_places.py"
FORGETTING = "referral_bus/ledger/revoked_keys.py"
OWN = ("tests/unit/producers/test_stolen_own_key.py",)
VECTORS = ("tests/contract/test_vectors.py",)
BODIES = ("tests/unit/referral_bus/ledger/test_at_rest.py", "tests/unit/producers/test_exchanged_bodies.py")
MONITOR = ("tests/unit/consumers/monitor/test_revoked_keys.py",)
DISBELIEVING = "consumers/monitor/revoked_keys.py"
PEERS = "referral_bus/ledger/peers.py"
SENDING = "referral_bus/ledger/outbox.py"

TRUST = (
    Guard(
        "nothing is sealed to what a revoked key has announced",
        "producers/relay.py",
        "            disbelieve(tx, lambda code, key_id: register.believes(code, key_id, now), now)\n",
        "",
        REVOKED,
    ),
    Guard(
        "ingest forgets what a revoked key has said before it reads on",
        "consumers/agency/ingest.py",
        "            self._disbelieve()\n",
        "",
        REVOKED,
    ),
    Guard(
        "what a revoked key said was received goes again",
        SENDING,
        "spoken = sa.and_(since, sa.func.coalesce(same_key, sa.false()))",
        "spoken = since",
        REVOKED,
    ),
    Guard(
        "what a revoked key said was erased goes again",
        SENDING,
        "sa.or_(said, erased), kept)",
        "said, kept)",
        REVOKED,
    ),
    Guard(
        "a place that a revoked key has used keeps nothing out",
        PLACES,
        "if key_id is None or believes(key_id):",
        "if True:",
        CORRECTED,
    ),
    Guard(
        "what stands under a revoked key is followed, but no place that was never used",
        PLACES,
        "for place, _ in used if place <= follows)",
        "for place, _ in used)",
        CORRECTED,
    ),
    Guard(
        "the first word after those of a revoked key sets the status unchecked",
        "consumers/agency/judge_event.py",
        "restored or self.places.corrects or may_follow",
        "restored or may_follow",
        CORRECTED,
    ),
    Guard(
        "a deadline that only a thief has met is met anew",
        "referral_bus/ledger/referrals.py",
        "return taken_back(moved, status, word.at) if word.corrects else moved",
        "return moved",
        CORRECTED,
    ),
    Guard(
        "the end that a revoked key has put to an agency's words is none",
        "consumers/agency/judge_event.py",
        "if referral is None or referral.peer_forgot_key_id is None or believes(referral.peer_forgot_key_id):",
        "if True:",
        ERASURES,
    ),
    Guard(
        "the first word after such an end sets the status unchecked",
        "consumers/agency/judge_event.py",
        "places if self.referral == known else replace(places, corrects=True)",
        "places",
        ERASURES,
    ),
    Guard(
        "what a revoked key has said of an erasure is forgotten",
        FORGETTING,
        "            if not believed(code, key_id):\n",
        "            if False:\n",
        ERASURES,
    ),
    Guard(
        "an agency whose word about an erasure has fallen is asked again",
        FORGETTING,
        "        restored_peers.tell_again(tx, code, now)\n",
        "        pass\n",
        ERASURES,
    ),
    Guard(
        "an agency that is being told of erasures is told again from the beginning",
        "referral_bus/ledger/restored_peers.py",
        "here.values(begin)",
        "here.values(code=code)",
        ("tests/unit/producers/test_restored_peers.py",),
    ),
    Guard(
        "a restore brings back no answer about an erasure without its key",
        "referral_bus/ledger/tombstones.py",
        'for each in (f"{name}_at", f"{name}_key_id")})',
        'for each in (f"{name}_at",)})',
        ERASURES,
    ),
    Guard(
        "a final status that a revoked key has said keeps out no later one",
        PLACES,
        " or not believes(left.status_key_id)",
        "",
        ERASURES,
    ),
    Guard(
        "an event id that a revoked key has used is free",
        "referral_bus/ledger/received_events.py",
        "if said_again or row.key_id is None or believes(row.key_id):",
        "if True:",
        CORRECTED,
    ),
    Guard(
        "what was stored under a key that is revoked since is not stored twice",
        "referral_bus/ledger/received_events.py",
        "said_again = row.outcome == Outcome.STORED",
        "said_again = False",
        CORRECTED,
    ),
    Guard(
        "no thief can guess under which incarnation a restored agency goes on",
        "deploy/app/backups.py",
        "            return go_on(ledger, client.rollback_guard, client.writing(), client.own_key_counts, secrets.randbelow)\n",
        "            return go_on(ledger, client.rollback_guard, client.writing(), client.own_key_counts)\n",
        RESTORED,
    ),
    Guard(
        "a restored agency leaves room for a new start that remembers nothing",
        "deploy/app/backups.py",
        "min(LONGEST_LEAP, ceiling - base)",
        "LONGEST_LEAP",
        OWN,
    ),
    Guard(
        "a restored agency goes on above what a revoked key has announced, where there is room",
        "deploy/app/backups.py",
        "base = heard if known < heard <= ceiling - LONGEST_LEAP else known",
        "base = known",
        OWN,
    ),
    Guard(
        "an announcement of the far future is not taken",
        "consumers/agency/take_in.py",
        "if record.issued_at > context.now + FAR_AHEAD:",
        "if False:",
        REVOKED,
    ),
    Guard(
        "one other agency alone moves no time",
        PEERS,
        "agreeing[witnesses - 1]",
        "agreeing[0]",
        REVOKED,
    ),
    Guard(
        "what was issued in the far future agrees with nothing",
        PEERS,
        "(word for word in words if word <= now + FAR_AHEAD)",
        "words",
        REVOKED,
    ),
    Guard(
        "an announcement under a revoked key hides no other from the monitor",
        DISBELIEVING,
        "        tx.execute(sa.delete(tables.agencies).where(here))\n",
        "        pass\n",
        MONITOR,
    ),
    Guard(
        "a receipt under a revoked key does not wait for its event at the monitor",
        DISBELIEVING,
        "        tx.execute(sa.delete(tables.early_receipts).where(here))\n",
        "        pass\n",
        MONITOR,
    ),
    Guard(
        "at the monitor an agency's words count again where a revoked key used the highest incarnation",
        DISBELIEVING,
        '        "status_incarnation": 0,\n',
        "",
        MONITOR,
    ),
    Guard(
        "a refusal under a revoked key does not stand at the monitor",
        DISBELIEVING,
        '        "refused": None,\n        "receipt_incarnation": 0,\n',
        "",
        MONITOR,
    ),
    Guard(
        "it is said that too few agencies confirm the time",
        "consumers/agency/maintenance.py",
        'if self._daily("time_unconfirmed"):',
        "if False:",
        ("tests/unit/producers/test_retention.py",),
    ),
    Guard(
        "to an agency that is no party an erased referral is unknown",
        "consumers/agency/judge_event.py",
        "        if left is None or left.peer != self.event.writer:\n            return False\n",
        "        if left is None or left.peer != self.event.writer:\n            return left is not None\n",
        OUTSIDERS,
    ),
    Guard(
        "what a revoked key has announced of us does not stop us",
        "referral_bus/rollback_guard.py",
        "heard if heard != LOWEST and believed(heard.key_id) else LOWEST",
        "heard",
        OWN,
    ),
    Guard(
        "no incarnation above the highest is begun",
        "deploy/app/backups.py",
        "    if highest >= HIGHEST_INCARNATION:\n",
        "    if False:\n",
        OWN,
    ),
    Guard(
        "looking at a case moves nothing that the host sees",
        "consumers/agency/announcer.py",
        "audit.announced(tx, now)",
        "audit.end(tx)",
        ("tests/unit/producers/test_audit.py",),
    ),
    Guard(
        "a body at rest opens for its own event only",
        "referral_bus/ledger/at_rest.py",
        '    return f"{referral.sender}/{referral.referral_id}/{of}".encode()',
        '    return f"{referral.sender}/{referral.referral_id}".encode()',
        BODIES,
    ),
    Guard(
        "the bytes of another event in a row of the outbox do not leave",
        "producers/sealed_values.py",
        "if _event(unsealed).event_id != row.event_id:",
        "if False:",
        BODIES,
    ),
    Guard(
        "a sealing key is valid for its epoch only",
        "schemas/sealing_keys.py",
        "if begins != (self.epoch, timedelta(0)) or self.valid_until - self.valid_from != EPOCH:",
        "if False:",
        VECTORS,
    ),
    Guard(
        "sealing keys are announced two epochs ahead at most",
        "schemas/events.py",
        "if any(not current <= key.epoch <= current + AHEAD for key in self.sealing_keys):",
        "if False:",
        VECTORS,
    ),
    Guard(
        "an announcement ends soon",
        "schemas/events.py",
        "if not timedelta(0) <= self.expires_at - self.issued_at <= LONGEST_ANNOUNCED:",
        "if False:",
        VECTORS,
    ),
)
