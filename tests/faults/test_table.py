from pathlib import Path

import pytest

from tests.faults.checker import Result
from tests.faults.dose import Dose, append, read, row
from tests.faults.table import BEGIN, END, main, put_in, render

KILLED = row("F1", "5 kills", Result(events=1500), 12.34)
DAMAGED = row("F3", "1 kill", Result(events=7, lost=1, twice=2, out_of_order=3, invented=4, differing=5, refused=6), 2)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    for line in (KILLED, DAMAGED):
        append(tmp_path / "results", line)
    assert read(tmp_path / "results") == [KILLED, DAMAGED]


def test_each_fault_is_one_line_with_everything_that_was_counted() -> None:
    lines = render([DAMAGED, KILLED]).splitlines()
    assert lines[2].endswith("| 5 kills | 1,500 | 0 | 0 | 0 | 0 | 0 | 12 |")
    assert lines[3].endswith("| 1 kill | 7 | 1 | 2 | 3 | 4 | 5 | 2 |")
    assert len(lines) == 4


def test_of_several_results_of_one_fault_the_last_counts() -> None:
    assert "5 kills" not in render([KILLED, row("F1", "7 kills", Result(events=1), 1)])


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")
    append(tmp_path / "results", KILLED)

    main(tmp_path / "results", document)

    assert document.read_text(encoding="utf-8") == f"before\n{BEGIN}{render([KILLED])}{END}after\n"


@pytest.mark.parametrize("document", ["nothing\n", f"{BEGIN}and no end\n"])
def test_a_document_without_a_place_for_it_is_left_alone(document: str) -> None:
    with pytest.raises(ValueError, match="lacks a line"):
        put_in(document, "table")


def test_a_dose_is_full_or_small() -> None:
    assert Dose("full")(full=100, small=5) == 100
    assert Dose("small")(full=100, small=5) == 5
