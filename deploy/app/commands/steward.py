"""The stewards' commands of `register`: make a key, sign a version, send it to all agencies over the bus."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.app.commands.options import JsonOption, KafkaOption, RegisterArgument, SignaturesArgument, read_file
from deploy.app.output import already_done, answer, say_error
from referral_bus.clock import system_clock
from referral_bus.errors import BusError, Reason, Refused
from referral_bus.federation.keyring import read_key, write_key
from referral_bus.federation.register import parse_register
from referral_bus.federation.trust import parse_signatures, render_signatures, sign_register, signed_by
from referral_bus.home import known_services
from schemas.events import StewardSignature

KeyOption = Annotated[Path, typer.Option("--key", help="The steward's private key file.", readable=False)]


def keygen(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="The new private key file.")], json: JsonOption = False
) -> None:
    """Make a steward's key; its public half goes into the register."""
    private = Ed25519PrivateKey.generate()
    try:
        if key.exists():
            raise FileExistsError
        write_key(key, private.private_bytes_raw())
    except OSError:
        raise Refused(Reason.FILE_UNREADABLE, "name a new file in a folder that is there", "KEY") from None
    public = private.public_key().public_bytes_raw().hex()
    with already_done(f"the key is made; public_key: {public}"):
        answer({"public_key": public}, [f"public_key: {public}"], json)


def sign(file: RegisterArgument, signatures: SignaturesArgument, key: KeyOption, json: JsonOption = False) -> None:
    """Add a steward's signature over a register's exact bytes to the file of signatures."""
    from deploy.provision.register_topic import as_record

    data = read_file(file)
    parsed = parse_register(data, known_services())
    own = sign_register(data, _steward_key(key))
    if own.key_id not in {listed.key_id for listed in parsed.content.stewards.keys}:
        raise Refused(Reason.REGISTER_UNSIGNED, "the register does not list this key as a steward's", "--key")
    others = [given for given in _given(signatures) if given.key_id != own.key_id]
    as_record(parsed, data, [*others, own])
    partial = signatures.with_name(f".{signatures.name}.new")
    try:
        partial.write_bytes(render_signatures([*others, own]))
        partial.replace(signatures)
    except OSError:
        raise Refused(Reason.FILE_UNREADABLE, "it cannot be written there", "SIGNATURES") from None
    stewards = parsed.content.stewards
    count = len(signed_by(data, [*others, own], stewards))
    says = f"{count} of {stewards.threshold} signatures"
    with already_done(f"signed; {says}"):
        answer({"signatures": count, "threshold": stewards.threshold}, [says], json)


def publish(
    file: RegisterArgument, signatures: SignaturesArgument, kafka: KafkaOption, key: KeyOption, json: JsonOption = False
) -> None:
    """Send a signed version to every agency over the bus; each agency checks the signatures itself. Warns of the
    agencies that the version cuts off, with what is open at them."""
    from deploy.provision.announced_counts import open_at, version_before
    from deploy.provision.cut_off import cut_off, left_by
    from deploy.provision.register_topic import as_record, publish_register
    from referral_bus.broker.kafka import KafkaBroker

    data = read_file(file)
    parsed = parse_register(data, known_services())
    given = parse_signatures(read_file(signatures, "SIGNATURES"))
    stewards = parsed.content.stewards
    if len(signed_by(data, given, stewards)) < stewards.threshold:
        raise Refused(Reason.REGISTER_UNSIGNED, "too few stewards have signed it yet", "SIGNATURES")
    as_record(parsed, data, given)
    broker, now = KafkaBroker(kafka, "referral-bus-register"), system_clock()
    try:
        before = version_before(broker, parsed, now)
        counts = {} if before is None else open_at(broker, before, left_by(before, parsed), now)
        cuts = [] if before is None else cut_off(before, parsed, counts)
        for line in () if json else cuts:  # before the version is sent; with --json they are in the answer
            say_error(f"warning: {line}")
        publish_register(broker, parsed, data, given, _steward_key(key))
    finally:
        broker.close()
    says = f"version {parsed.version} published"
    with already_done(says):
        answer({"version": parsed.version, "cuts_off": cuts}, [says], json)


def _given(path: Path) -> tuple[StewardSignature, ...]:
    return parse_signatures(read_file(path, "SIGNATURES")) if path.exists() else ()


def _steward_key(path: Path) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(read_key(path))
    except BusError as error:
        raise Refused(Reason.FILE_UNREADABLE, error.advice, "--key") from None


def add_to(register: typer.Typer) -> None:
    """Adds these commands to the group `register`."""
    for command in (keygen, sign, publish):
        register.command()(command)
