"""The guide to the register can be followed word for word, and names every field."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from referral_bus.clock import system_clock
from referral_bus.federation.register import Register
from referral_bus.federation.register_models import RegisterFile
from referral_bus.home import open_home
from tests.unit.test_documents import blocks, in_shell, text_of

GUIDE = text_of("docs/register.md")


def _register(home: Path) -> Register:
    return open_home(home).register(system_clock())


def test_the_guide_to_the_register_can_be_followed_word_for_word(tmp_path: Path) -> None:
    states = []
    for script in blocks(GUIDE, "sh run"):
        in_shell(tmp_path, script)
        if (tmp_path / "family-women" / "register").is_dir() and "accept" in script:
            states.append(_register(tmp_path / "family-women"))
    now = system_clock()
    assert [each.version for each in dict.fromkeys(states)][-4:] == [1, 2, 3, 4]
    final = _register(tmp_path / "mahalla")
    assert final.version == 2  # it takes the later ones from the bus
    final = states[-1]
    assert final.agreed("family-women", "mahalla", now)
    assert not final.agreed("family-women", "public-health", now)
    assert final.agreed("public-health", "family-women", now)
    health = open_home(tmp_path / "public-health")
    health.keyring(now)
    agency = final.agency("public-health")
    assert agency
    assert len(agency.signing_keys) == 2
    assert agency.signing_keys[0].raw == health.keyring(now).signing_public


def test_every_field_of_the_register_is_told() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", GUIDE, re.MULTILINE)
    assert sorted(rows) == sorted(_fields(RegisterFile))


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        called = field.alias or name
        many = "[]" if "tuple" in str(field.annotation) else ""
        inner = [part for part in _parts(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
        if inner:
            yield from (f"{called}{many}.{each}" for each in _fields(inner[0]))
        else:
            yield f"{called}{many}"


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
