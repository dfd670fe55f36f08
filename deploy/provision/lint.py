"""Checks a register file beyond its validity, for `make check` and for stewards before they sign."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deploy.provision.register_topic import refuse_if_too_large
from referral_bus.errors import BusError
from referral_bus.federation.register import read_register
from referral_bus.federation.register_models import RegisterFile
from referral_bus.federation.register_problem import RegisterProblem
from referral_bus.federation.register_rules import problems
from referral_bus.federation.yaml_strict import MAX_BYTES as MOST_READ
from schemas.code_lists import load_code_list


class Level(StrEnum):
    """An error keeps a register from being accepted or published; advice does not."""

    ERROR = "error"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class RegisterFinding:
    level: Level
    text: str

    def __str__(self) -> str:
        return self.text if self.level is Level.ERROR else f"advice: {self.text}"


def lint_register(path: Path) -> list[RegisterFinding]:
    """All errors of a register file, and advice on it, each with its place. A file without stewards counts as a
    template."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_READ + 1)
        refuse_if_too_large(data)
        content = read_register(data).content
    except OSError:
        return [RegisterFinding(Level.ERROR, "the file cannot be read")]
    except BusError as error:
        return [RegisterFinding(Level.ERROR, str(error))]
    services = frozenset(entry.code for entry in load_code_list("service_types").codes)
    template = not content.stewards.keys
    advice = [*_habits(content), *_unoffered(content, services)]
    return [
        *(RegisterFinding(Level.ERROR, str(problem)) for problem in problems(content, services, template)),
        *(RegisterFinding(Level.ADVICE, str(problem)) for problem in advice),
    ]


def _habits(content: RegisterFile) -> Iterator[RegisterProblem]:
    pairs = [(agreement.sender, agreement.recipient) for agreement in content.agreements]
    for i in range(1, len(pairs)):
        if pairs[i] < pairs[i - 1]:
            yield RegisterProblem(f"agreements[{i}]", "out of order; sort agreements by from, then by to")
    senders, recipients = {sender for sender, _ in pairs}, {recipient for _, recipient in pairs}
    for i, agency in enumerate(content.agencies):
        if not agency.contacts:
            yield RegisterProblem(f"agencies[{i}].contacts", "no contact to call; add a function and its mailbox")
        if agency.starts_referrals and agency.code not in senders:
            yield RegisterProblem(f"agencies[{i}].starts_referrals", "no agreement lets it; list one or write false")
        if agency.receives_referrals and agency.code not in recipients:
            yield RegisterProblem(
                f"agencies[{i}].receives_referrals", "no agreement leads here; list one or write false"
            )


def _unoffered(content: RegisterFile, services: frozenset[str]) -> Iterator[RegisterProblem]:
    offered = {service for agency in content.agencies for service in agency.services}
    for service in sorted(services - offered):
        yield RegisterProblem("agencies", f"no agency offers {service}")


def main(arguments: Sequence[str]) -> int:
    """Checks each file named and prints its findings. Returns 1 when there is any, advice included."""
    found = [f"{name}: {line}" for name in arguments for line in lint_register(Path(name))]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
