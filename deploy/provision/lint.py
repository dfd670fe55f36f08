"""What a register file should be besides valid, for `make check` and for stewards before they sign."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from referral_bus.errors import BusError
from referral_bus.federation.register import read_register
from referral_bus.federation.register_models import RegisterFile
from referral_bus.federation.register_problem import RegisterProblem
from referral_bus.federation.register_rules import problems
from schemas.code_lists import load_code_list

MAX_BYTES = 60 * 1024  # what a register version record can carry


def lint_register(path: Path) -> list[str]:
    """Everything that is wrong, each with its place; empty when nothing is. A file without stewards is a template."""
    try:
        data = path.read_bytes()
        content = read_register(data).content
    except OSError:
        return ["the file cannot be read"]
    except BusError as error:
        return [str(error)]
    services = frozenset(entry.code for entry in load_code_list("service_types").codes)
    template = not content.stewards.keys
    found = [*problems(content, services, template), *_habits(content), *_unoffered(content, services)]
    if len(data) > MAX_BYTES:
        found.append(RegisterProblem("", f"over {MAX_BYTES} bytes; it would not fit into a record"))
    return [str(problem) for problem in found]


def _habits(content: RegisterFile) -> Iterator[RegisterProblem]:
    pairs = [(agreement.sender, agreement.recipient) for agreement in content.agreements]
    for i in range(1, len(pairs)):
        if pairs[i] < pairs[i - 1]:
            yield RegisterProblem(f"agreements[{i}]", "out of order; sort agreements by from, then by to")
    senders, recipients = {sender for sender, _ in pairs}, {recipient for _, recipient in pairs}
    for i, agency in enumerate(content.agencies):
        if not agency.contacts:
            yield RegisterProblem(f"agencies[{i}].contacts", "nobody to call; add a function and its mailbox")
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
    """Lints each file named; 1 when anything is wrong."""
    found = [f"{name}: {line}" for name in arguments for line in lint_register(Path(name))]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
