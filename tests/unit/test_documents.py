"""The documents: their commands exist, their examples run, their tables are the code's, their links lead somewhere."""

import ast
import importlib.util
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import WebhookVerificationError

from consumers.agency.webhook import signature
from consumers.agency.webhook_secrets import shown
from deploy.app.agency_client import open_client
from deploy.app.cli import app
from deploy.app.worklist import Filter, find
from deploy.demo.federation import Terms, agency_key, example_template, make_federation
from referral_bus.clock import system_clock
from referral_bus.errors import Reason
from referral_bus.home import open_home
from referral_bus.ledger.handovers import Received
from referral_bus.settings import Settings
from schemas.events import ReferralKey
from schemas.lifecycle import Side
from schemas.outcomes import CODES, Code
from tests.kit.people import request
from tests.kit.waiting import PATIENCE_S
from tests.kit.warm import warm_command

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
HOSTS = {"keepachangelog.com", "semver.org", "127.0.0.1", "localhost"}
"""Whoever reads the documents needs no other place."""

FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^(?:    [^\n]*\n)+", re.MULTILINE)

of_documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, kind: str) -> list[str]:
    return [content for info, content in FENCED.findall(text) if info == kind]


def commands(text: str, name: str) -> Iterator[list[str]]:
    """What the document tells its reader to type, and what it mentions in a sentence."""
    code = [content for info, content in FENCED.findall(text) if info.split(" ")[0] in ("sh", "console", "")]
    lines = [line for block in (*code, *INDENTED.findall(text)) for line in block.splitlines()]
    typed = (line.strip().removeprefix("$ ") for line in lines)
    for line in (*typed, *re.findall(r"`([^`\n]+)`", FENCED.sub("", text))):
        words = shlex.split(line, comments=True) if line.startswith(f"{name} ") else []
        if words:
            yield words[1 : words.index(">") if ">" in words else None]


def unknown(words: list[str]) -> str | None:
    """The first word of a `referral-bus` command that it does not know. Words in capitals stand for something."""
    command: Any = typer.main.get_command(app)
    words = [word for word in words if word != "..."]
    while words and getattr(command, "commands", None):
        if words[0].startswith("--"):
            break
        if words[0] not in command.commands:
            return words[0]
        command = command.commands[words.pop(0)]
    options = {name: param for param in command.params for name in param.opts if name.startswith("--")}
    most = sum(param.param_type_name == "argument" for param in command.params)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            if word not in {*options, "--help"}:
                return word
            if word in options and not options[word].is_flag and words:
                words.pop(0)
        elif (most := most - 1) < 0:
            return word
    return None


def test_the_check_of_commands_finds_what_is_wrong() -> None:
    good = ["--version", "--help", "inbox --after 3 --json", "agency run --home X", "register accept A B --sha256 C"]
    assert [unknown(line.split()) for line in good] == [None] * len(good)
    bad = ["nonsense", "agency nonsense", "inbox --nonsense", "show A B", "register accept A B C"]
    assert [unknown(line.split()) for line in bad] == ["nonsense", "nonsense", "--nonsense", "B", "C"]


@of_documents
def test_every_command_that_a_document_shows_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    found = [(words, unknown(words)) for words in commands(text, "referral-bus")]
    assert [each for each in found if each[1] is not None] == []


@of_documents
def test_every_target_of_make_exists(document: Path) -> None:
    targets = re.findall(r"^([a-z]+):.*## ", text_of("Makefile"), re.MULTILINE)
    text = document.read_text(encoding="utf-8")
    assert [words for words in commands(text, "make") if words[0] not in targets] == []


def anchors(document: Path) -> set[str]:
    """Of the headings, as they are made where the document is shown."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text(encoding="utf-8")), re.MULTILINE)
    return set(map(anchor_of, headings))


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@of_documents
def test_every_link_leads_somewhere(document: Path) -> None:
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if re.match(r"https?:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@of_documents
def test_no_document_names_other_hosts_or_the_machine_it_was_written_on(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    hosts = set(re.findall(r"\b\w+://([^/\s:)>`\"']+)", text))
    assert {host for host in hosts if not host.endswith(".example")} <= HOSTS
    for place in (ROOT, Path.home(), Path(sys.prefix)):
        assert f"{place}/" not in text


PACKAGES = ("schemas", "referral_bus", "producers", "consumers", "deploy")
PATH = re.compile(rf"(?:{'|'.join((*PACKAGES, 'tests', 'docs', 'requirements', '[.]ci'))})/\S*")
DOTTED = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:[.]\w+)+")
MADE_BY_A_RELEASE = "schemas/released"
"""Documents tell what the first release will put there."""


def mentioned(text: str) -> list[str]:
    """The words of everything in backticks, outside of blocks."""
    return [word for code in re.findall(r"`([^`\n]+)`", FENCED.sub("", text)) for word in code.split()]


def is_there(dotted: str) -> bool:
    """Whether a module, or a name in a module, exists."""
    module, *names = dotted.split(".")
    while names and importlib.util.find_spec(f"{module}.{names[0]}"):
        module = f"{module}.{names.pop(0)}"
        if not (ROOT / module.replace(".", "/")).is_dir():
            break
    return not names or hasattr(importlib.import_module(module), names[0])


def test_the_check_of_dotted_names_finds_what_is_wrong() -> None:
    good = ["deploy.app", "deploy.agency", "deploy.agency.NotNow", "referral_bus.ledger.outbox.FINAL"]
    assert [is_there(name) for name in good] == [True] * len(good)
    assert not any(map(is_there, ["deploy.desk", "deploy.agency.Desk", "referral_bus.ledger.sending.FINAL"]))


@of_documents
def test_every_path_and_module_that_a_document_names_exists(document: Path) -> None:
    words = mentioned(document.read_text(encoding="utf-8"))
    paths = [word for word in words if PATH.fullmatch(word) and not word.startswith(MADE_BY_A_RELEASE)]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [word for word in words if DOTTED.fullmatch(word) and not is_there(word)] == []


def defined(path: Path) -> Iterator[str]:
    """The functions, classes and methods of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef))


def test_each_function_that_the_architecture_names_is_in_a_file_beside_it() -> None:
    text = FENCED.sub("", text_of("docs/architecture.md"))
    pieces = re.split(r"\n(?=\n|\||\d+\. )", text)  # paragraphs, rows and steps
    found, missing = 0, []
    for words in map(mentioned, pieces):
        there = {name for word in words if word.endswith(".py") for name in defined(ROOT / word)}
        named = [word.removesuffix("()") for word in words if word.endswith("()")]
        found += len(named)
        missing += [name for name in named if name not in there]
    assert missing == []
    assert found > 50


MAPS = ("referral_bus/ledger", "consumers/agency", "consumers/monitor", "deploy/app", "deploy/app/service")


@pytest.mark.parametrize("package", MAPS)
def test_the_map_of_a_package_names_each_of_its_modules(package: str) -> None:
    folder = ROOT / package
    holder = folder if (folder / "__init__.py").read_text(encoding="utf-8") else folder.parent
    words = re.findall(r"\w+", ast.get_docstring(ast.parse((holder / "__init__.py").read_text(encoding="utf-8"))) or "")
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    assert modules - set(words) == set()


def rows_of(text: str) -> list[list[str]]:
    """The cells of every row of the first table, without its head."""
    lines = [line for line in text.split("\n|---")[1].split("\n\n")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_glossary_is_in_alphabetic_order_and_each_word_has_a_file() -> None:
    rows = rows_of(text_of("docs/glossary.md"))
    words = [word for word, _, _ in rows]
    assert words == sorted(words, key=str.lower)
    assert len(set(words)) == len(words) > 50
    assert [word for word, meaning, files in rows if not meaning or not mentioned(files)] == []


def test_the_index_of_decisions_has_every_entry_in_its_part() -> None:
    text = text_of("DECISIONS.md")
    entries, part = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            part = line.removeprefix("## ")
        elif line.startswith("### "):
            title = line.removeprefix("### ")
            entries.append((part, title))
    indexed = []
    for day, part, link in rows_of(text):
        assert date.fromisoformat(day)
        linked = re.fullmatch(r"\[(.+)\]\(#(.+)\)", link)
        assert linked
        assert linked[2] == anchor_of(linked[1])
        indexed.append((part, linked[1]))
    assert indexed == entries


def table(text: str, heading: str) -> dict[str, list[str]]:
    """The rows under a heading, by the code in their first cell."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_reason_is_explained() -> None:
    rows = table(text_of("docs/errors.md"), "What we refuse or cannot reach")
    assert list(rows) == [reason.value for reason in Reason]
    assert all(len(row) == 2 and all(row) for row in rows.values())


def test_the_codes_of_receipts_are_those_of_the_table_in_the_software() -> None:
    rows = table(text_of("docs/errors.md"), "What a recipient's service refuses or holds")
    assert rows == {
        code.value: [rule.when, rule.outcome.value if rule.outcome else "none", rule.who_acts]
        for code, rule in CODES.items()
    }
    assert set(rows) == {code.value for code in Code}


def test_the_settings_are_those_of_the_software() -> None:
    rows = table(text_of("docs/integrate.md"), "Settings")

    def shown(default: Any) -> str:
        if default is None:
            return ""
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"

    assert {name: row[0] for name, row in rows.items()} == {
        name: "" if field.is_required() else shown(field.default) for name, field in Settings.model_fields.items()
    }


@pytest.fixture(scope="module")
def guide() -> str:
    return text_of("docs/integrate.md")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, guide: str) -> Path:
    """A folder in which somebody follows the guide: the home is made, the stewards have answered."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "referral.json").write_text(blocks(guide, "json")[0], encoding="utf-8")
    in_shell(folder, blocks(guide, "sh run")[0])
    home = open_home(folder / "home")
    federation, now = home.settings().federation, system_clock()
    key = agency_key(federation, "family-women", home.keyring(now).signing)
    stewards = {f"steward {number}": Ed25519PrivateKey.generate() for number in (1, 2)}
    terms = Terms(federation, "referral", now, lasts=timedelta(days=9), only=("family-women", "public-health"))
    files = make_federation(example_template(), {"family-women": key}, stewards, terms)
    (folder / "register.yaml").write_bytes(files.register)
    (folder / "register.signatures.yaml").write_bytes(files.signatures)
    return folder


def in_shell(folder: Path, script: str, *arguments: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{warm_command().parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "REFERRAL_BUS_HOME": str(folder / "home"),
    }
    command = ["bash", "-euo", "pipefail", "-c", script, *arguments]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    complaints = [line for line in ended.stderr.splitlines() if not line.startswith("referral-bus: warning: ")]
    assert (ended.returncode, complaints) == (0, [])  # no service runs here, so every recipient is silent
    return ended.stdout


def test_the_guide_can_be_followed_word_for_word(place: Path, guide: str) -> None:
    accept = next(line for line in blocks(guide, "sh")[0].splitlines() if "register accept" in line)
    sha256 = in_shell(place, "sha256sum register.yaml").split()[0]
    assert "version 1" in in_shell(place, accept.replace("SHA256", sha256))

    for script in blocks(guide, "sh run")[1:]:
        assert in_shell(place, script)

    (place / "program.py").write_text(blocks(guide, "python run")[1], encoding="utf-8")
    stage = in_shell(place, 'exec "$0" program.py', sys.executable)
    assert stage == "not-stored\n"
    client = open_client(place / "home")
    assert len(find(client, Filter(local_ref="17/2026"), 10).referrals) == 1
    client.close()


def module_of(path: Path, text: str) -> Any:
    """An example, as whoever has copied it into a file imports it."""
    path.write_text(text, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_endpoint_of_the_guide_verifies_a_call(guide: str, tmp_path: Path) -> None:
    example = module_of(tmp_path / "endpoint.py", blocks(guide, "python verify")[0])
    body = json.dumps({"event_id": "e", "referral_id": "r", "referral_sender": "s", "cursor": 42})
    headers = signature("e", body, [b"another secret", b"a synthetic secret"], system_clock())
    assert example.about(shown(b"a synthetic secret"), body.encode(), headers) == ("e", "r")
    with pytest.raises(WebhookVerificationError):
        example.about(shown(b"somebody's secret"), body.encode(), headers)


def test_the_handler_of_the_guide_takes_an_event_once(
    place: Path, guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_DATABASE", str(tmp_path / "cases.sqlite"))
    module = module_of(tmp_path / "our_system.py", blocks(guide, "python run")[0])
    now, body = system_clock(), request("public-health").body
    key = ReferralKey("family-women", uuid4())
    received = Received(1, uuid4(), key, Side.RECIPIENT, "family-women", "ReferralEvent", None, now, now, body)

    take = module.handler(open_client(place / "home"))
    for _ in range(2):
        take(received)

    with closing(sqlite3.connect(tmp_path / "cases.sqlite")) as cases:
        rows = cases.execute("SELECT * FROM events").fetchall()
    assert rows == [(str(received.event_id), str(key.referral_id), "new referral")]
