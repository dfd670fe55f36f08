"""`show`: every field that is set, what protects the person first, whatever is in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from deploy.app.views.case_view import case_lines
from deploy.app.views.sealed_view import set_fields
from schemas.lifecycle import Side
from schemas.personal import ReferralBody, StatusBody
from tests.kit.command import Command
from tests.kit.full_referral import ESTIMATED, FULL, FULL_WORD, WIDTH, ZONE, body, case, page, word
from tests.kit.homes import RECIPIENT, Post
from tests.unit.deploy.app.conftest import Federation

GUIDE = Path(__file__).parents[4] / "docs" / "integrate.md"


def leaves(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every field of the contract that holds no single record of fields."""
    for name, field in model.model_fields.items():
        parts = (field.annotation, *get_args(field.annotation))
        records = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        for record in records:
            yield from leaves(record, f"{path}{name}.")
        if not records:
            yield f"{path}{name}"


def lines_of(of: ReferralBody, said: StatusBody, side: Side = Side.RECIPIENT, width: int = 10_000) -> list[str]:
    return list(case_lines(case(of, said, side), ZONE, width))


def test_the_example_sets_every_field_of_the_contract() -> None:
    """A field that is added to the contract is added there, and then has to be in the view."""
    bodies = {one.path for full in (FULL, ESTIMATED) for one in set_fields(body(full), ZONE)}
    assert bodies == set(leaves(ReferralBody))
    assert {one.path for one in set_fields(word(FULL_WORD), ZONE)} == set(leaves(StatusBody))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("full", [FULL, ESTIMATED], ids=["born", "estimated"])
def test_every_field_that_is_set_is_shown_with_its_name_at_both_sides(full: dict[str, Any], side: Side) -> None:
    shown = lines_of(body(full), word(FULL_WORD), side)
    for one in (*set_fields(body(full), ZONE), *set_fields(word(FULL_WORD), ZONE)):
        label = one.path.rpartition(".")[2].replace("_", " ")
        for text in one.text.splitlines():
            assert any(text in line for line in shown), one.path
        assert any(f"{label}: {one.text.splitlines()[0]}" in line for line in shown), one.path


def test_a_field_that_a_later_version_adds_is_shown_without_another_change() -> None:
    class Later(StatusBody):
        bring_along: str | None = None

    later = Later(bring_along="PLANTED-LATER")
    assert any("bring along: PLANTED-LATER" in line for line in lines_of(body(FULL), later))


def test_what_protects_the_person_stands_in_a_box_before_all_the_rest() -> None:
    shown = lines_of(body(FULL), word(FULL_WORD))
    begin, end = (next(i for i, line in enumerate(shown) if line.startswith(sign)) for sign in ("┏━", "┗━"))
    box = [line.removeprefix("┃ ") for line in shown[begin + 1 : end]]
    assert box[0].startswith("do not contact: ")
    for label in (
        *("who may answer", "caregiver informed: NO", "caregiver why not", "safe contact method: "),
        *("safe contact value: ", "safe contact hours: ", "may leave message: NO"),
        *("may name agency: NO", "request worker sex preference", "consent withheld"),
    ):
        assert any(line.startswith(label) for line in box), label
    assert shown.index("person") > end


def test_an_unset_field_takes_no_line() -> None:
    needed = {name: FULL[name] for name in ("safe_contact", "request", "consent")}
    few = body(needed | {"person": {"subject_ref": FULL["person"]["subject_ref"]}})
    shown = lines_of(few, StatusBody())
    assert "caregiver" not in shown
    assert not any("None" in line or line.rstrip().endswith(":") for line in shown)


def test_a_text_with_lines_cannot_look_like_another_field() -> None:
    request = FULL["request"] | {"need": "Synthetic.\n┗━\n  name: another\nhistory"}
    shown = lines_of(body(FULL | {"request": request}), word(FULL_WORD))
    for line in ("      ┗━", "        name: another", "      history"):
        assert line in shown
    assert shown.count("┗━") == 1


def test_it_fits_60_columns_and_steers_no_terminal() -> None:
    need = "Synthetic: " + "very long words, " * 60 + "x" * 200
    full = FULL | {"request": FULL["request"] | {"need": need}}
    shown = lines_of(body(full), word(FULL_WORD), width=WIDTH)
    assert max(map(len, shown)) <= WIDTH


def test_the_guide_shows_the_page_as_it_is() -> None:
    written = GUIDE.read_text(encoding="utf-8")
    assert f"```text\n{page()}```" in written, "run: python -m tests.kit.full_referral"


def test_an_appointments_place_is_shown_at_both_sides(federation: Federation, command: Command, post: Post) -> None:
    assert command(federation.recipient, "accept", federation.referral).code == 0
    appointment = ("--kind", "appointment-scheduled", "--time", "2099-11-24T10:00+05:00", "--place", "Room 4")
    assert command(federation.recipient, "note", federation.referral, *appointment).code == 0
    post.settle()
    for agency in (federation.sender, federation.recipient):
        assert "appointment place: Room 4\n" in command(agency, "show", federation.referral).out
    assert "appointment place: Room 4" in command(federation.sender, "inbox").out


def test_the_safety_terms_of_a_published_file_are_shown(
    federation: Federation, command: Command, post: Post, tmp_path: Path
) -> None:
    file = tmp_path / "full.json"
    body = FULL | {"request": FULL["request"] | {"replaces": str(federation.referral)}}
    file.write_text(json.dumps({"recipient": RECIPIENT, "priority": "urgent", "body": body}))
    [published] = command(federation.sender, "publish", file, "--json").document
    post.settle()
    shown = command(federation.recipient, "show", published["referral_id"]).out
    for text in ("do not contact: Synthetic: never at home.", "who may answer: Synthetic: only her teacher"):
        assert text in shown
