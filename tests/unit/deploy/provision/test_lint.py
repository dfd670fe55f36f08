from pathlib import Path

import pytest

from deploy.demo.federation import example_template
from deploy.provision.lint import Level, lint_register, main


def lint(tmp_path: Path, old: str = "", new: str = "", level: Level = Level.ERROR) -> list[str]:
    """Of the example with one text in place of another."""
    text = example_template().decode()
    assert old in text
    file = tmp_path / "register.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = lint_register(file)
    assert {each.level for each in found} <= {level}
    return [each.text for each in found]


def test_the_example_is_clean(tmp_path: Path) -> None:
    assert lint(tmp_path) == []


def test_what_makes_a_register_invalid_is_found(tmp_path: Path) -> None:
    assert lint(tmp_path, "version: 1", "version: 0") == [
        "REGISTER_INVALID at version: not the kind of value that this field takes; "
        "times are UTC as 2026-01-31T00:00:00Z, keys lower-case hex"
    ]
    assert [line.split(":")[0] for line in lint(tmp_path, "min_insync: 2", "min_insync: 4")] == ["cluster.min_insync"]


def test_unsorted_agreements_are_found(tmp_path: Path) -> None:
    first = "  - {from: barqaror-hayot, to: child-adaptation, until: 2027-11-01T00:00:00Z}\n"
    second = "  - {from: barqaror-hayot, to: family-women, until: 2027-11-01T00:00:00Z}\n"
    assert [line.split(":")[0] for line in lint(tmp_path, first + second, second + first, Level.ADVICE)] == [
        "agreements[1]"
    ]


def test_an_agency_that_nobody_can_call_is_found(tmp_path: Path) -> None:
    contact = """    contacts:
      - {function: focal point, mailbox: focal-point@cted.example, hours: "Mon-Fri 09:00-18:00"}
"""
    assert [line.split(":")[0] for line in lint(tmp_path, contact, "", Level.ADVICE)] == ["agencies[23].contacts"]


def test_a_service_that_no_agency_offers_is_found(tmp_path: Path) -> None:
    assert lint(tmp_path, "women-gbv, safe-shelter", "women-gbv", Level.ADVICE) == [
        "agencies: no agency offers safe-shelter"
    ]


def test_an_agency_that_may_start_or_receive_without_any_agreement_is_found(tmp_path: Path) -> None:
    quiet = "receives_referrals: false\n    starts_referrals: false"
    assert [line.split(":")[0] for line in lint(tmp_path, quiet, quiet.replace("false", "true"), Level.ADVICE)] == [
        "agencies[14].starts_referrals",
        "agencies[14].receives_referrals",
    ]


def test_a_register_that_would_not_fit_into_a_record_is_found(tmp_path: Path) -> None:
    [found] = lint(tmp_path, "agencies:\n", "#" + "x" * 60 * 1024 + "\nagencies:\n")
    assert found.startswith("TOO_LARGE at REGISTER: ")


def test_everything_that_is_wrong_is_listed_with_its_file_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, missing = tmp_path / "bad.yaml", tmp_path / "missing.yaml"
    bad.write_text("[", encoding="utf-8")
    assert main([str(bad), str(missing)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{bad}: REGISTER_INVALID at line 1: this is not YAML; mend the line",
        f"{missing}: the file cannot be read",
    ]


def test_a_clean_file_says_nothing_and_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "register.yaml"
    file.write_bytes(example_template())
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == ""
