"""Two services never run on one ledger, by whatever name they reach it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.services import Services, started
from tests.kit.homes import Agency

pytestmark = pytest.mark.kafka


@pytest.fixture
def services(tmp_path: Path, kafka_bootstrap: str) -> Iterator[Services]:
    made = Services(tmp_path / "agencies", kafka_bootstrap)
    made.make_topics()
    yield made
    made.end()


def test_no_second_service_runs_on_the_ledger_of_one_that_runs(services: Services, tmp_path: Path) -> None:
    home = services.sender.home
    [first] = started(services, [services.sender])

    def refused(other: Path) -> str:
        """The second service's code; the first one goes on."""
        said = services.run("agency", "run", "--home", other)
        assert (said.returncode, said.stderr.count("\n")) == (2, 1), said.stderr
        assert first.popen.poll() is None
        return said.stderr.split()[1]

    for file in home.glob("run.*"):
        file.rename(tmp_path / file.name)
    (tmp_path / "linked").symlink_to(home)
    assert [refused(each) for each in (home, tmp_path / "linked")] == ["ALREADY_RUNNING"] * 2
    (tmp_path / "run.json").rename(home / "run.json")

    copied = tmp_path / "copied"
    shutil.copytree(home, copied, ignore=lambda *_: ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"])
    for link in (Path.symlink_to, Path.hardlink_to):
        link(copied / "ledger.sqlite", home / "ledger.sqlite")
        assert refused(copied) == "HOME_INVALID"
        (copied / "ledger.sqlite").unlink()
    assert first.status().ready
    assert first.terminate()[0] == 0


@pytest.mark.parametrize("linked", [".", "keys"])
def test_no_service_runs_where_a_link_leads_to_a_folder_that_others_can_read(
    linked: str, services: Services, tmp_path: Path
) -> None:
    place, elsewhere = services.sender.home / linked, tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    elsewhere.chmod(0o755)
    said = services.run("agency", "run", "--home", services.sender.home)
    assert (said.returncode, said.stderr.split()[1]) == (2, "HOME_READABLE_BY_OTHERS")
    elsewhere.chmod(0o700)
    [process] = started(services, [Agency(services.sender.home)])
    assert process.terminate()[0] == 0
