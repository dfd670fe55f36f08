"""Looking for a planted text in files, in every form in which it could have been left behind."""

import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import zstandard

LONGEST = 4 * 1024 * 1024  # bytes that one compressed piece may unpack to


def traces(folders: list[Path], text: str) -> list[str]:
    """Where it is found, and as what; compressed pieces are unpacked wherever one begins."""
    found = []
    for folder in folders:
        files = [folder] if folder.is_file() else [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in files:
            content = path.read_bytes()
            found += [f"{path.name}: {form}" for form, needle in needles(text) if needle in content]
            for piece in _unpacked(content):
                found += [f"{path.name}: compressed {form}" for form, needle in needles(text) if needle in piece]
    return found


def needles(text: str) -> Iterator[tuple[str, bytes]]:
    """The whole text, and its longest word in plain letters, in each form."""
    word = max((part for part in text.replace("-", " ").split() if part.isascii()), key=len)
    for said in {text, word}:
        plain = said.encode()
        yield "raw", plain
        yield "escaped", json.dumps(said).strip('"').encode()
        yield "UTF-16 little", said.encode("utf-16-le")
        yield "UTF-16 big", said.encode("utf-16-be")
        yield "hex", plain.hex().encode()
        for shift in range(3):  # base64 looks different at each of three places
            coded = base64.b64encode(b"\x00" * shift + plain)
            yield f"base64 {shift}", coded[4 if shift else 0 : -4]


def _unpacked(content: bytes) -> Iterator[bytes]:
    for magic in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        for start in _places(content, magic):
            with suppress(zlib.error):
                yield zlib.decompressobj().decompress(content[start:], LONGEST)
    for start in _places(content, b"\x1f\x8b\x08"):
        with suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(content[start:], LONGEST)
    for start in _places(content, b"\x28\xb5\x2f\xfd"):
        with suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(content[start:])


def _places(content: bytes, magic: bytes) -> Iterator[int]:
    start = content.find(magic)
    while start >= 0:
        yield start
        start = content.find(magic, start + 1)
