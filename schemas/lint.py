"""`python -m schemas.lint` checks the schemas, code lists and examples of this folder against the rules. It prints one
line for each finding; its exit code is 1 if there is any."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.code_lists import CODE_LISTS, CodeList, unknown_codes
from schemas.forbidden import forbidden_themes
from schemas.problems import problems
from schemas.referral_request import parse_requests
from schemas.schema_rules import Finding, fingerprint_findings, schema_findings


def lint() -> list[str]:
    """Every finding in the files of this folder, each as one line."""
    schemas = {name: json.loads(text) for name, text in _files("avro", ".avsc")}
    lists = {name: yaml.safe_load(text) for name, text in _files("codes", ".yaml")}
    examples = dict(_files("examples", ".json"))
    return lint_all(schemas, lists, examples)


def lint_all(schemas: Mapping[str, Any], lists: Mapping[str, Any], examples: Mapping[str, str]) -> list[str]:
    """As `lint`, for given files by their names: schemas and code lists as parsed data, examples as text."""
    findings = [(f"avro/{name}", finding) for name, schema in schemas.items() for finding in schema_findings(schema)]
    findings += [("avro", finding) for finding in fingerprint_findings(schemas)]
    findings += [(f"codes/{name}", finding) for name, raw in lists.items() for finding in code_list_findings(name, raw)]
    findings += [("codes", finding) for finding in missing_lists(lists)]
    findings += [(f"examples/{name}", finding) for name, text in examples.items() for finding in example_findings(text)]
    return [f"{file}: {path or 'whole'}: {what}" for file, (path, what) in findings]


def missing_lists(lists: Mapping[str, Any]) -> list[Finding]:
    """The lists that only one of `CODE_LISTS` and the folder has."""
    named = {f"{name}.yaml" for name in CODE_LISTS}
    return [
        (name, "in CODE_LISTS, but not in the folder, or the other way round") for name in sorted(named ^ set(lists))
    ]


def code_list_findings(file_name: str, raw: Any) -> list[Finding]:
    try:
        code_list = CodeList.model_validate(raw)
    except ValidationError as error:
        return [(problem.path, problem.kind) for problem in problems(error)]
    findings = [] if file_name == f"{code_list.name}.yaml" else [("list", "not the name of the file")]
    seen: set[str] = set()
    for place, entry in enumerate(code_list.codes):
        path = f"codes[{place}]"
        if entry.code in seen:
            findings.append((path, "code stands twice"))
        seen.add(entry.code)
        for text in (entry.code, entry.en, entry.meaning):
            findings += [(path, f"forbidden: {theme}") for theme in forbidden_themes(text)]
    return findings


def example_findings(text: str) -> list[Finding]:
    """What keeps an example from being a file that `publish` accepts. Its consent must name its recipient."""
    try:
        requests = parse_requests(text)
    except ValidationError as error:
        refused: list[Finding] = [(problem.path, problem.kind) for problem in problems(error)]
        return refused if ("", "not_json") in refused else refused + _words(text)
    findings: list[Finding] = [(path, "unknown code") for request in requests for path in unknown_codes(request)]
    if any(request.recipient != request.body.consent.recipient for request in requests):
        findings.append(("body.consent.recipient", "not the recipient"))
    return findings + _words(text)


def _words(text: str) -> list[Finding]:
    """Forbidden themes in keys and texts. Unlike the models' errors a finding names the key: an example is public."""
    found = ((part, theme) for part in _strings(json.loads(text), "") for theme in forbidden_themes(part[1]))
    return [(path, f"forbidden: {theme}") for (path, _), theme in found]


def _strings(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every key and every text of the document, each with its path."""
    match node:
        case str():
            yield path, node
        case list():
            for item in node:
                yield from _strings(item, path)
        case dict():
            for key, value in node.items():
                inner = f"{path}.{key}".removeprefix(".")
                yield inner, key
                yield from _strings(value, inner)


def _files(folder: str, suffix: str) -> Iterator[tuple[str, str]]:
    for file in sorted((resources.files("schemas") / folder).iterdir(), key=lambda each: each.name):
        if file.name.endswith(suffix):
            yield file.name, file.read_text(encoding="utf-8")


def report(findings: Sequence[str]) -> int:
    """Prints one line for each finding; returns the exit code."""
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(report(lint()))
