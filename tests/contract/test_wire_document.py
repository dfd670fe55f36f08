"""`docs/wire-format.md` says what the code does, and its example can be followed with nothing else at hand."""

import re

import pytest

from referral_bus.wire.avro_codec import MAX_ITEMS, MAX_VALUE
from referral_bus.wire.record import MAX_HEADERS
from schemas.schema_index import MODELS
from tests.kit import independent
from tests.kit.vector_files import Vector, accepted_vectors
from tests.kit.wire_example import SEALED, SIGNED
from tests.kit.wire_tables import DOCUMENT, parts, up_to_date

TEXT = DOCUMENT.read_text(encoding="utf-8")
EXAMPLE = TEXT[TEXT.index("## 12.") : TEXT.index("## 13.")]
BLOCKS = re.findall(r"```text\n(.*?)\n```", EXAMPLE, re.DOTALL)


def vector(name: str) -> Vector:
    return next(each for each in accepted_vectors() if each.name == name)


def hex_of(block: str) -> bytes:
    """What stands before two spaces in each line."""
    return bytes.fromhex("".join(line.partition("  ")[0].removesuffix(" ...") for line in block.splitlines()))


def quoted(length: int) -> list[bytes]:
    """Hex of so many bytes in the running text."""
    return [bytes.fromhex(found) for found in re.findall(rf"`([0-9a-f]{{{2 * length}}})`", EXAMPLE)]


def test_the_made_parts_are_up_to_date() -> None:
    """When this fails: `python -m tests.kit.wire_tables`."""
    assert up_to_date(TEXT) == TEXT


def test_every_made_part_stands_there_once() -> None:
    assert sorted(re.findall(r"<!-- made: (\w+) -->", TEXT)) == sorted(parts())


def test_a_part_that_is_not_up_to_date_is_made_anew() -> None:
    assert "| `MALFORMED` | Authentic" in TEXT
    assert up_to_date(TEXT.replace("| `MALFORMED` | Authentic", "| `SPOILT` | Authentic", 1)) == TEXT


@pytest.mark.parametrize("name", MODELS)
def test_every_record_is_described_with_its_fingerprint(name: str) -> None:
    section = TEXT[TEXT.index(f"### {name}\n") :]
    assert f"Fingerprint `{independent.fingerprint(name).hex()}`." in section[: section.index("| Field |")]


def test_the_limits_are_those_of_the_code() -> None:
    assert f"at most {MAX_VALUE:,} bytes; key, value and headers" in TEXT
    assert f"together at most {MAX_VALUE + 4096:,}; at most {MAX_HEADERS} headers; no array has more than" in TEXT
    assert f"more than {MAX_ITEMS} items" in TEXT


def test_the_signed_example_can_be_verified_from_the_page_alone() -> None:
    value, signed, signature = BLOCKS[0], BLOCKS[1].rpartition("\n")[0], BLOCKS[2]
    (public_key,) = quoted(32)[:1]
    whole = hex_of(value)
    message = hex_of(signed) + len(whole).to_bytes(4, "big") + whole
    assert independent.signature_fits(public_key, message, hex_of(signature))
    assert independent.key_id(public_key).decode() in EXAMPLE
    assert (whole, message) == (vector(SIGNED).hex("value"), vector(SIGNED).hex("signature_input"))


def test_the_sealed_example_is_its_vector() -> None:
    plaintext, info, sealed = BLOCKS[3], BLOCKS[4], BLOCKS[5]
    shown = hex_of(plaintext.rpartition("\n")[0])
    zeros = bytes(int(plaintext.split()[-2]))
    found = vector(SEALED)
    assert shown + zeros == found.hex("body_plaintext") == independent.padded(shown[4:])
    assert hex_of(info) == found.hex("hpke_info")
    assert found.hex("sealed").startswith(hex_of(sealed))
    opened = independent.open_sealed(quoted(32)[1], hex_of(info), found.hex("sealed"))
    assert opened == shown + zeros
