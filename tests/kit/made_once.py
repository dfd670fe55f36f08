"""What takes long to make and never changes, made once for a whole test run."""

from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.demo.federation import GeneratedFederation, Terms, example_template, generate_federation
from referral_bus.federation.register import Register, parse_register
from referral_bus.home import known_services
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.store import create_ledger

AT_REST = b"a home key that is 32 bytes long"


@cache
def federation(codes: tuple[str, ...], now: datetime) -> tuple[GeneratedFederation, Register]:
    """Made once for all tests that ask for the same one: reading a register takes longer than most tests."""
    terms = Terms(federation="test-federation", topic_prefix="referral", now=now, only=codes)
    generated = generate_federation(example_template(), terms)
    return generated, parse_register(generated.files.register, known_services())


@cache
def empty_ledger(code: str) -> bytes:
    """The file of a ledger with nothing in it, made once: each test begins with a copy."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        create_ledger(path, AtRest(AT_REST), code).close()
        return path.read_bytes()
