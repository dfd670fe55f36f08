"""Guards between a person at the command line and what the ledger holds."""

from tests.guards.guard import Guard

OUTPUT, SEALED_VIEW = "deploy/app/output.py", "deploy/app/views/sealed_view.py"
VIEWS = ("tests/unit/deploy/app/test_sealed_view.py",)
SAME_PERSON = ("tests/unit/producers/test_same_person.py",)
ERASED = ("tests/unit/deploy/app/test_erasure_commands.py",)
PRINTED = ("tests/unit/deploy/app/test_output.py",)
IMPLAUSIBLE = ("tests/unit/producers/test_plausibility.py",)

_UNTRUE = (
    ("a birth to come is refused", "if born is not None and born > (now + EARLIEST_ZONE).date():"),
    ("a consent to come is refused", "if request.body.consent.attested_at > now + CLOCKS_DIFFER:"),
    ("a deadline that has passed is refused", "if deadline is not None and deadline <= now:"),
    ("what is replaced is known here", "if replaces is not None and not _known_here(tx, replaces):"),
    (
        "only an agency of the register is suggested",
        "if body.suggested_agency is not None and register.agency(body.suggested_agency) is None:",
    ),
)

DESK = (
    Guard(
        "a register must have the SHA-256 that is given, the first one and a later one",
        "referral_bus/federation/register_folder.py",
        "if told not in (None, register.sha256):",
        "if False:",
        ("tests/unit/deploy/app/test_register_commands.py",),
    ),
    Guard(
        "a Kafka on another machine is refused when settings are loaded",
        "referral_bus/broker/loopback.py",
        'if not all(is_loopback(address.strip().rpartition(":")[0]) for address in addresses.split(",")):',
        "if False:",
        ("tests/unit/deploy/app/test_wrong_settings.py",),
    ),
    Guard(
        "what turns text round never reaches a terminal",
        OUTPUT,
        "return _STEERING_FORMAT.match(sign) is not None",
        "return False",
        PRINTED,
    ),
    Guard(
        "joiners are shown as they are",
        OUTPUT,
        "return _STEERING_FORMAT.match(sign) is not None",
        "return True",
        PRINTED,
    ),
    Guard(
        "a field that no view names is shown all the same",
        SEALED_VIEW,
        "yield from _records([one for one in shown if one not in boxed], width)",
        'yield from _records([one for one in shown if one.path.startswith("request.")], width)',
        VIEWS,
    ),
    Guard(
        "what protects the person stands first",
        SEALED_VIEW,
        "    boxed = list(dict.fromkeys(boxed))\n",
        "    boxed = []\n",
        VIEWS,
    ),
    Guard(
        "a further line of a text is set in",
        SEALED_VIEW,
        'prefix + " " * _INDENT)',
        "prefix)",
        VIEWS,
    ),
    Guard(
        "looking takes nothing away from a webhook or handler",
        "deploy/app/commands/inbox.py",
        "if consumer is not None and not take:",
        "if False:",
        ("tests/unit/deploy/app/test_looking_takes_nothing.py",),
    ),
    Guard(
        "a person who is referred to the same agency twice is noticed",
        "producers/publish.py",
        "    return Published(referral_id, open_already=open_already)",
        "    return Published(referral_id)",
        SAME_PERSON,
    ),
    Guard(
        "only open referrals make a second one noticed: the digest of a person goes when one ends",
        "referral_bus/ledger/referrals.py",
        '        changes["subject_digest"] = None\n',
        "        pass\n",
        SAME_PERSON,
    ),
    Guard(
        "the digest of a person is of the recipient too",
        "referral_bus/ledger/referrals.py",
        'f"{subject}/{recipient}".encode()',
        'f"{subject}".encode()',
        SAME_PERSON,
    ),
    Guard(
        "erasing takes a whole id",
        "referral_bus/ledger/resolve.py",
        'if not re.fullmatch(r"[0-9a-fA-F]{32}", digits):',
        "if False:",
        ERASED,
    ),
    Guard(
        "nothing is erased where no person can be asked",
        "deploy/app/commands/erasure.py",
        "if json or not (sys.stdin.isatty() and sys.stdout.isatty()):",
        "if False:",
        ERASED,
    ),
    Guard(
        "nothing is erased that a person has not agreed to",
        "deploy/app/commands/erasure.py",
        'if not typer.confirm("Erase it for good, here and at the other side?"):',
        "if False:",
        ERASED,
    ),
    Guard(
        "a request file is counted before it is built",
        "schemas/bounded_json.py",
        "        if values > bounds.values:",
        "        if False:",
        ("tests/unit/schemas/test_bounded_json.py",),
    ),
    Guard(
        "a list of referrals is counted before it is built",
        "schemas/bounded_json.py",
        "        if items > bounds.items:",
        "        if False:",
        ("tests/unit/schemas/test_bounded_json.py",),
    ),
    Guard(
        "a register is counted while it is read",
        "referral_bus/federation/yaml_strict.py",
        "    for count, event in enumerate(events):",
        "    for count, event in enumerate(events, -(10**9)):",
        ("tests/unit/referral_bus/federation/test_yaml_strict.py",),
    ),
    Guard(
        "a refused character is named without what stands around it",
        "schemas/text.py",
        'return f"U+{ord(found[0]):04X}" if found else None',
        "return found.string if found else None",
        ("tests/unit/producers/test_request_file.py",),
    ),
    *(Guard(name, "producers/plausibility.py", text, "if False:", IMPLAUSIBLE) for name, text in _UNTRUE),
)
