import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.kafka import jars
from deploy.kafka.jars import KAFKA_VERSION, ensure_jars, pinned_sums
from referral_bus.errors import Reason, Refused, Unreachable

Provide = Callable[[str, str], None]

SUMS = {name: hashlib.sha512(name.encode()).hexdigest() for name in ("a.jar", "b.jar")}
TARGET = 'for option; do case $option in -DoutputDirectory=*) to=${option#*=};; esac; done; /bin/mkdir -p "$to"; '
MAVEN = TARGET + 'printf a.jar >"$to/a.jar"; printf b.jar >"$to/b.jar"; '


def quiet(_: str) -> None: ...


def test_the_pinned_jars_are_those_of_the_version_we_say() -> None:
    pom = ElementTree.parse(Path(jars.__file__).with_name("pom.xml"))  # noqa: S314 -- our own file
    wanted = {
        f"{dependency.findtext('{*}artifactId')}-{dependency.findtext('{*}version')}.jar"
        for dependency in pom.iterfind(".//{*}dependency")
    }
    log4j = next(name for name in pinned_sums() if name.startswith("log4j-core-")).removeprefix("log4j-core-")

    assert wanted == {f"kafka_2.13-{KAFKA_VERSION}.jar", f"log4j-slf4j-impl-{log4j}"}
    assert wanted < pinned_sums().keys()
    assert all(len(digest) == 128 for digest in pinned_sums().values())


def test_without_maven_the_line_that_installs_it_is_named(tmp_path: Path, provide: Provide) -> None:
    provide("other", "")

    with pytest.raises(Refused, match="apt-get install -y maven") as refused:
        ensure_jars(tmp_path / "cache", quiet, SUMS)

    assert refused.value.reason is Reason.MAVEN_MISSING


def test_jars_are_fetched_once_and_nothing_is_left_beside_them(tmp_path: Path, provide: Provide) -> None:
    said: list[str] = []
    provide("mvn", MAVEN)
    ensure_jars(tmp_path / "cache" / "kafka", said.append, SUMS)
    provide("mvn", "exit 1")

    again = ensure_jars(tmp_path / "cache" / "kafka", said.append, SUMS)

    assert {path.name for path in again.iterdir()} == SUMS.keys()
    assert list(again.parent.iterdir()) == [again]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('printf A.jar >"$to/a.jar"', "a.jar"),
        ('/bin/rm "$to/b.jar"', "b.jar"),
        ('printf x >"$to/c.jar"', "c.jar"),
    ],
    ids=["tampered", "missing", "extra"],
)
def test_jars_that_are_not_the_pinned_ones_are_never_put_in_place(
    change: str, named: str, tmp_path: Path, provide: Provide
) -> None:
    provide("mvn", MAVEN + change)

    with pytest.raises(Refused, match=named) as refused:
        ensure_jars(tmp_path / "cache", quiet, SUMS)

    assert refused.value.reason is Reason.JARS_INVALID
    assert not (tmp_path / "cache").exists()


def test_a_jar_that_was_changed_after_it_was_fetched_is_refused(tmp_path: Path, provide: Provide) -> None:
    provide("mvn", MAVEN)
    (ensure_jars(tmp_path / "cache", quiet, SUMS) / "b.jar").write_text("B.jar")

    with pytest.raises(Refused, match=r"b\.jar") as refused:
        ensure_jars(tmp_path / "cache", quiet, SUMS)

    assert refused.value.reason is Reason.JARS_INVALID


def test_what_maven_says_when_it_fails_is_passed_on(tmp_path: Path, provide: Provide) -> None:
    provide("mvn", "echo noise; echo '[ERROR] no route'; exit 1")

    with pytest.raises(Unreachable, match="no route") as unreachable:
        ensure_jars(tmp_path / "cache", quiet, SUMS)

    assert unreachable.value.reason is Reason.JARS_UNREACHABLE


def test_a_cache_that_cannot_be_made_is_refused(tmp_path: Path, provide: Provide) -> None:
    provide("mvn", MAVEN)
    (tmp_path / "file").touch()

    with pytest.raises(Refused, match="XDG_CACHE_HOME"):
        ensure_jars(tmp_path / "file" / "cache", quiet, SUMS)


def test_two_that_fetch_at_once_both_get_the_jars(tmp_path: Path, provide: Provide) -> None:
    meet = f'/bin/mkdir "{tmp_path}/here.$$"; until set -- "{tmp_path}"/here.*; [ $# = 2 ]; do :; done'
    provide("mvn", f"{MAVEN}{meet}")
    got: list[Path] = []

    both = [threading.Thread(target=lambda: got.append(ensure_jars(tmp_path / "cache", quiet, SUMS))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert got == [tmp_path / "cache"] * 2
    assert not list(tmp_path.glob(".cache-*"))
