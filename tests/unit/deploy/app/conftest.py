import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from tests.kit.command import Command
from tests.kit.homes import (
    OTHER,
    RECIPIENT,
    SENDER,
    Agency,
    Post,
    Stewards,
    join,
    make_homes,
    new_stewards,
    signed_register,
)

NEED = "PLANTED-NEED-7731 does not sleep since the made-up move"


@dataclass(frozen=True)
class Federation:
    """Homes of three agencies that have accepted the register and know each other's keys. `referral` went from the
    sender to the recipient and is stored there."""

    folder: Path
    stewards: Stewards
    referral: UUID

    @property
    def sender(self) -> Agency:
        return Agency(self.folder / SENDER)

    @property
    def recipient(self) -> Agency:
        return Agency(self.folder / RECIPIENT)

    @property
    def other(self) -> Agency:
        return Agency(self.folder / OTHER)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    folder, stewards = tmp_path_factory.mktemp("homes"), new_stewards()
    make_homes(folder)
    join(folder, signed_register(folder, stewards))
    post = Post(folder)
    post.settle()
    referral = post.refer(NEED)
    post.close()
    return Federation(folder, stewards, referral)


@pytest.fixture
def federation(made_once: Federation, tmp_path: Path) -> Federation:
    """A copy of its own for each test."""
    folder = tmp_path / "agencies"
    shutil.copytree(made_once.folder, folder)
    return Federation(folder, made_once.stewards, made_once.referral)


@pytest.fixture
def post(federation: Federation) -> Iterator[Post]:
    opened = Post(federation.folder)
    yield opened
    opened.close()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
