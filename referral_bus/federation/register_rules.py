"""The rules across fields of a register. Pure functions without a clock: `issued_at` counts as the present time."""

from collections.abc import Callable, Collection, Iterator
from itertools import chain

from referral_bus.federation.key_rules import key_problems, steward_problems
from referral_bus.federation.register_models import RegisterFile
from referral_bus.federation.register_problem import RegisterProblem, repeated


def problems(content: RegisterFile, known_services: Collection[str], template: bool) -> Iterator[RegisterProblem]:
    """All mistakes in a register, rule by rule. A template has no stewards yet, so their rules do not apply to it."""
    rules: tuple[Callable[[RegisterFile], Iterator[RegisterProblem]], ...] = (
        _periods,
        _cluster,
        _agency_codes,
        _successors,
        _agreements,
        key_problems,
    )
    if not template:
        yield from steward_problems(content)
    yield from chain.from_iterable(rule(content) for rule in rules)
    yield from _services(content, known_services)


def _periods(content: RegisterFile) -> Iterator[RegisterProblem]:
    if content.expires_at <= content.issued_at:
        yield RegisterProblem("expires_at", "must be later than issued_at")
    for i, agency in enumerate(content.agencies):
        if agency.member_until is not None and agency.member_until <= agency.member_from:
            yield RegisterProblem(f"agencies[{i}].member_until", "must be later than member_from")


def _cluster(content: RegisterFile) -> Iterator[RegisterProblem]:
    if content.cluster.min_insync > content.cluster.replication:
        yield RegisterProblem("cluster.min_insync", "must not be above replication: Kafka would take no record")


def _agency_codes(content: RegisterFile) -> Iterator[RegisterProblem]:
    for i in repeated(agency.code for agency in content.agencies):
        yield RegisterProblem(
            f"agencies[{i}].code", "an earlier agency has this code; a code belongs to one agency for ever"
        )


def _successors(content: RegisterFile) -> Iterator[RegisterProblem]:
    successor = {agency.code: agency.succeeded_by for agency in content.agencies}
    for i, agency in enumerate(content.agencies):
        path = f"agencies[{i}].succeeded_by"
        if agency.succeeded_by is not None and agency.succeeded_by not in successor:
            yield RegisterProblem(path, "name an agency of this register")
            continue
        passed: set[str] = set()
        after = agency.succeeded_by
        while after is not None and after not in passed:
            passed.add(after)
            after = successor.get(after)
        if agency.code in passed:
            yield RegisterProblem(path, "leads back to the same agency; name the agency that takes over")


def _services(content: RegisterFile, known_services: Collection[str]) -> Iterator[RegisterProblem]:
    for i, agency in enumerate(content.agencies):
        for j, service in enumerate(agency.services):
            if service not in known_services:
                yield RegisterProblem(
                    f"agencies[{i}].services[{j}]", "not on the list of service types; use a code of the list"
                )
        for j in repeated(agency.services):
            yield RegisterProblem(f"agencies[{i}].services[{j}]", "is listed twice; keep one")
        if agency.services and not agency.receives_referrals:
            yield RegisterProblem(
                f"agencies[{i}].services", "an agency that receives no referrals offers no services here"
            )


def _agreements(content: RegisterFile) -> Iterator[RegisterProblem]:
    agencies = {agency.code: agency for agency in content.agencies}
    for i, agreement in enumerate(content.agreements):
        path = f"agreements[{i}]"
        sender, recipient = agencies.get(agreement.sender), agencies.get(agreement.recipient)
        in_force = agreement.until > content.issued_at  # an ended one stays listed as it was
        if sender is None:
            yield RegisterProblem(f"{path}.from", "name an agency of this register")
        elif in_force and not sender.starts_referrals:
            yield RegisterProblem(
                f"{path}.from", "this agency starts no referrals; end the agreement or let it start them"
            )
        if recipient is None:
            yield RegisterProblem(f"{path}.to", "name an agency of this register")
        elif in_force and not recipient.receives_referrals:
            yield RegisterProblem(
                f"{path}.to", "this agency receives no referrals; end the agreement or let it receive them"
            )
        if agreement.sender == agreement.recipient:
            yield RegisterProblem(f"{path}.to", "an agency makes no agreement with itself")
    for i in repeated((agreement.sender, agreement.recipient) for agreement in content.agreements):
        yield RegisterProblem(f"agreements[{i}]", "an earlier agreement has the same two agencies; keep one")
