"""A batch that ended the process again and again is passed over; an honest one never for good."""

from pathlib import Path

import pytest

from referral_bus.broker.kafka.unpacking import (
    ENDS,
    LIVED_S,
    READERS,
    REMEMBERED,
    BatchEndedUs,
    Unpacking,
    digest_of,
)

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


def end_at(file: Path, *digests: bytes, times: int = ENDS) -> None:
    """So many processes end in the middle of these."""
    for _ in range(times):
        unpacking = Unpacking(file)
        for digest in digests:
            unpacking.place().begin(digest)


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_batch_at_which_the_process_ended_again_and_again_is_not_unpacked_again(file: Path) -> None:
    end_at(file, FIRST)
    after = Unpacking(file)
    assert ended_us(after, FIRST)
    assert not ended_us(after, SECOND)


def test_a_kill_or_two_that_merely_fall_into_an_honest_batch_have_it_read_all_the_same(file: Path) -> None:
    end_at(file, FIRST, times=ENDS - 1)
    assert not ended_us(Unpacking(file), FIRST)


def test_the_ends_at_different_batches_are_not_added_up(file: Path) -> None:
    for digest in (FIRST, SECOND, FIRST, SECOND):
        end_at(file, digest, times=1)
    after = Unpacking(file)
    assert not ended_us(after, FIRST)
    assert not ended_us(after, SECOND)


def test_a_batch_that_is_read_to_its_end_is_forgotten(file: Path) -> None:
    end_at(file, FIRST, times=ENDS - 1)
    Unpacking(file).place().unpacked(FIRST)
    end_at(file, FIRST, times=ENDS - 1)
    assert not ended_us(Unpacking(file), FIRST)


def test_two_readers_at_one_batch_are_one_end_of_the_process(file: Path) -> None:
    end_at(file, FIRST, FIRST, times=ENDS - 1)
    assert not ended_us(Unpacking(file), FIRST)


def test_it_stays_so_while_no_process_lives_for_long(file: Path) -> None:
    """Else two batches that end the process would take turns, and it would get beyond neither."""
    end_at(file, FIRST)
    end_at(file, SECOND)
    for _ in range(5):
        unpacking, place = Unpacking(file), Unpacking(file).place()
        assert ended_us(unpacking, FIRST)
        assert ended_us(unpacking, SECOND)
        place.end()


def test_after_a_process_that_lived_on_the_next_one_tries_it_again(file: Path) -> None:
    """The register's topic is read from its beginning each time, and its newest register may be that batch."""
    end_at(file, FIRST)
    seconds = Seconds()
    lives = Unpacking(file, seconds)
    seconds.now = LIVED_S
    lives.place().end()

    assert ended_us(lives, FIRST), "this process keeps off it"
    assert not ended_us(Unpacking(file), FIRST)
    end_at(file, FIRST, times=1)
    assert ended_us(Unpacking(file), FIRST), "one more end is enough then"


def test_what_was_unpacked_to_its_end_is_unpacked_again(file: Path) -> None:
    for _ in range(ENDS):
        place = Unpacking(file).place()
        place.begin(FIRST)
        place.end()
    assert not ended_us(Unpacking(file), FIRST)


def test_each_reader_has_a_place_of_its_own(file: Path) -> None:
    for _ in range(ENDS):
        unpacking = Unpacking(file)
        first, second = unpacking.place(), unpacking.place()
        first.begin(FIRST)
        second.begin(SECOND)
        second.end()
    after = Unpacking(file)
    assert ended_us(after, FIRST)
    assert not ended_us(after, SECOND)


def test_readers_beyond_the_places_unpack_all_the_same(file: Path) -> None:
    for _ in range(ENDS):
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
        end_at(file, digest)
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
