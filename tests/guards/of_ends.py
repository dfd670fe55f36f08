"""Guards at the edge of the process: how a command ends, and whose words reach the log."""

from tests.guards.guard import Guard

FOREIGN, OUTPUT = "deploy/app/service/foreign_words.py", "deploy/app/output.py"
TRIES = ("tests/unit/deploy/app/test_second_tries.py",)
NOT_SAID = ("tests/unit/deploy/app/test_not_said.py",)
WORDS = ("tests/unit/deploy/app/test_foreign_words.py",)
ENDS = ("tests/unit/deploy/app/test_ends_of_commands.py",)

LOCKS = ("tests/unit/referral_bus/test_locks.py",)
ERASURES = ("tests/unit/deploy/app/test_erasure_commands.py",)

ENDS_AND_WORDS = (
    Guard(
        "a forked child lets go of our locks",
        "referral_bus/locks.py",
        "    for descriptor in _open:\n        os.close(descriptor)\n",
        "",
        LOCKS,
    ),
    Guard(
        "a forked child closes a lock once only",
        "referral_bus/locks.py",
        "        if descriptor in _open:\n            _open.remove(descriptor)\n",
        "        if True:\n            _open.discard(descriptor)\n",
        LOCKS,
    ),
    Guard(
        "a question that goes to a file is asked of no one",
        "deploy/app/commands/erasure.py",
        "not (sys.stdin.isatty() and sys.stdout.isatty())",
        "not sys.stdin.isatty()",
        ERASURES,
    ),
    Guard(
        "under --json no warning stands on standard error",
        "deploy/app/commands/verbs.py",
        "    if left and not json:\n",
        "    if left:\n",
        ("tests/unit/deploy/app/test_moves.py",),
    ),
    Guard(
        "under --json what a register cuts off is in the answer",
        "deploy/app/commands/steward.py",
        "for line in () if json else cuts:",
        "for line in cuts:",
        ("tests/unit/deploy/app/test_steward_commands.py",),
    ),
    Guard(
        "the very same file is a second try",
        "deploy/app/commands/publish.py",
        "Repeat.IS_MEANT if again else Repeat.IS_NOTICED",
        "Repeat.IS_MEANT",
        TRIES,
    ),
    Guard(
        "after ten minutes it is another wish",
        "referral_bus/ledger/repeated_requests.py",
        "        _C.asked_at.between(now - WINDOW, now + WINDOW),",
        "        sa.true(),",
        TRIES,
    ),
    Guard(
        "a verb is no second try once something else was said",
        "producers/verbs.py",
        "any(each.number == repeated_requests.newest_event(tx, referral.key) for each in earlier.values())",
        "bool(earlier)",
        TRIES,
    ),
    Guard(
        "what is said several times by its nature is no second try",
        "producers/verbs.py",
        "    elif verb not in SAID_SEVERAL_TIMES:\n",
        "    else:\n",
        TRIES,
    ),
    Guard(
        "Python takes each word as meant",
        "deploy/app/agency_client.py",
        "return self.move_once(verb, referral_id, detail, local_ref, None).referral",
        "return self.move_once(verb, referral_id, detail, local_ref, Asked()).referral",
        TRIES,
    ),
    Guard(
        "a referral that has ended answers no second try",
        "producers/publish.py",
        "referral is not None and referral.open and not undelivered(tx, key)",
        "referral is not None and not undelivered(tx, key)",
        TRIES,
    ),
    Guard(
        "a referral that was refused answers no second try",
        "producers/publish.py",
        "referral is not None and referral.open and not undelivered(tx, key)",
        "referral is not None and referral.open",
        TRIES,
    ),
    Guard(
        "an erasure forgets what was asked",
        "referral_bus/ledger/erasures.py",
        "    repeated_requests.forget(tx, key)\n",
        "",
        TRIES,
    ),
    Guard(
        "a list of which some was erased is not published again by itself",
        "producers/publish.py",
        "if stand and len(stand) < len(keyless):",
        "if False:",
        TRIES,
    ),
    Guard(
        "what is done and not printed is told as done",
        OUTPUT,
        "        raise NotSaid(what) from error\n",
        "        raise\n",
        NOT_SAID,
    ),
    Guard(
        "an answer that waits in a buffer is not yet said",
        OUTPUT,
        "        yield\n        sys.stdout.flush()\n",
        "        yield\n",
        ENDS,
    ),
    Guard(
        "a closed standard stream keeps its number",
        "deploy/app/start.py",
        "            os.open(os.devnull, flags)  # takes the lowest free number\n",
        "            pass\n",
        ENDS,
    ),
    Guard(
        "Ctrl-C while modules load prints no traceback",
        "deploy/app/start.py",
        "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n\n\ndef main",
        "    pass\n\n\ndef main",
        ENDS,
    ),
    Guard(
        "what C code and child processes print reaches no log",
        FOREIGN,
        "    os.dup2(nowhere, 2)\n",
        "",
        WORDS,
    ),
    Guard(
        "what Python code prints is told by its place alone",
        FOREIGN,
        'sys.stdout, sys.stderr = _stream("stdout", words), _stream("stderr", words)',
        "pass",
        WORDS,
    ),
    Guard(
        "a thread that dies is told by its place alone",
        FOREIGN,
        "    threading.excepthook = words.thread_died\n",
        "",
        WORDS,
    ),
    Guard(
        "what dies in a finalizer is told by its place alone",
        FOREIGN,
        "    sys.unraisablehook = words.not_raised\n",
        "",
        WORDS,
    ),
    Guard(
        "no steward signs what no record can carry",
        "deploy/app/commands/steward.py",
        "    as_record(parsed, data, [*others, own])\n",
        "",
        ("tests/unit/deploy/app/test_steward_commands.py",),
    ),
    Guard(
        "a register is bounded together with its signatures",
        "deploy/provision/register_topic.py",
        "        checked_size(encode(version))\n",
        "        pass\n",
        ("tests/unit/deploy/app/test_steward_commands.py",),
    ),
)
