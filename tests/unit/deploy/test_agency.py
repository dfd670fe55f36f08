"""What an integrator imports: one module, of which every name is documented and stays."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from deploy import agency

GUIDE = Path("docs/integrate.md").read_text(encoding="utf-8")
NAMES = {
    *("AgencyClient", "BusError", "Case", "Handler", "NotNow", "Published", "Reason", "Received", "Referral"),
    *("ReferralBody", "ReferralKey", "ReferralRequest", "Refused", "RefusedEach", "Stage", "Standing", "Status"),
    *("StatusBody", "Unreachable", "open_client", "parse_requests"),
}
METHODS = ("publish", "move", "case", "received_after", "close")


def test_the_module_has_exactly_the_names_that_were_promised() -> None:
    assert set(agency.__all__) == NAMES
    assert {name for name in vars(agency) if not name.startswith("_")} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_name_stands_in_the_guide(name: str) -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]

    assert any(re.search(rf"`{name}\b", row) for row in rows)


@pytest.mark.parametrize("name", sorted(NAMES - {"Handler"}))  # a type alias, which has no docstring of its own
def test_each_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(agency, name))


@pytest.mark.parametrize("method", METHODS)
def test_each_method_that_the_guide_names_is_there(method: str) -> None:
    assert callable(getattr(agency.AgencyClient, method))
    assert f"`{method}`" in GUIDE


def test_the_guides_programs_import_nothing_else_of_ours() -> None:
    ours = {"consumers", "deploy", "producers", "referral_bus", "schemas"}
    programs = re.findall(r"```python run\n(.*?)```", GUIDE, re.DOTALL)
    imported = {
        node.module
        for program in programs
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ours
    }

    assert imported == {"deploy.agency"}
