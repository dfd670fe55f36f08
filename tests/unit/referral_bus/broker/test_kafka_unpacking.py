"""A batch that ended the process is passed over after the next start."""

from pathlib import Path

import pytest

from referral_bus.broker.kafka.unpacking import READERS, REMEMBERED, BatchEndedUs, Unpacking, digest_of

FIRST, SECOND = digest_of("inbox", 0, 5, 1), digest_of("inbox", 0, 6, 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "unpacking"


def ended_us(unpacking: Unpacking, digest: bytes) -> bool:
    place = unpacking.place()
    try:
        place.begin(digest)
    except BatchEndedUs:
        return True
    finally:
        place.release()
    return False


def test_a_batch_at_which_the_process_ended_is_not_unpacked_again(file: Path) -> None:
    Unpacking(file).place().begin(FIRST)  # and then the process is gone

    after = Unpacking(file)

    assert ended_us(after, FIRST)
    assert not ended_us(after, SECOND)


def test_it_stays_so_after_many_more_starts(file: Path) -> None:
    """The register's topic is read from its beginning each time."""
    Unpacking(file).place().begin(FIRST)
    for _ in range(5):
        assert ended_us(Unpacking(file), FIRST)


def test_what_was_unpacked_to_its_end_is_unpacked_again(file: Path) -> None:
    place = Unpacking(file).place()
    place.begin(FIRST)
    place.end()
    assert not ended_us(Unpacking(file), FIRST)


def test_each_reader_has_a_place_of_its_own(file: Path) -> None:
    unpacking = Unpacking(file)
    first, second = unpacking.place(), unpacking.place()
    first.begin(FIRST)
    second.begin(SECOND)
    second.end()
    after = Unpacking(file)
    assert ended_us(after, FIRST)
    assert not ended_us(after, SECOND)


def test_readers_beyond_the_places_unpack_all_the_same(file: Path) -> None:
    unpacking = Unpacking(file)
    places = [unpacking.place() for _ in range(READERS + 1)]
    places[-1].begin(FIRST)
    places[0].release()
    unpacking.place().begin(SECOND)
    after = Unpacking(file)
    assert ended_us(after, SECOND)
    assert not ended_us(after, FIRST)


def test_so_many_are_remembered_and_the_file_does_not_grow(file: Path) -> None:
    digests = [digest_of("inbox", 0, number, 0) for number in range(REMEMBERED + 10)]
    for digest in digests:
        Unpacking(file).place().begin(digest)
    size = file.stat().st_size
    after = Unpacking(file)
    assert [ended_us(after, digest) for digest in digests] == [False] * 10 + [True] * REMEMBERED
    assert file.stat().st_size == size
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"?" * 7, b"\xff" * 100_000])
def test_whatever_stands_in_the_file_reading_goes_on(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert not ended_us(Unpacking(file), FIRST)


def test_where_the_file_cannot_be_kept_reading_goes_on(tmp_path: Path) -> None:
    unpacking = Unpacking(tmp_path / "no such folder" / "unpacking")
    assert not ended_us(unpacking, FIRST)
