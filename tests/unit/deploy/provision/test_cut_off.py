"""What a version of the register would cut off, said before it is handed out."""

from pathlib import Path

from deploy.provision.announced_counts import open_at, version_before
from deploy.provision.cut_off import Open, cut_off, left_by
from deploy.provision.register_topic import publish_register
from referral_bus.federation.register import Register, parse_register, read_register, render_register
from referral_bus.federation.trust import parse_signatures
from referral_bus.home import known_services
from tests.kit.bench import bench
from tests.kit.people import RECIPIENT, SENDER, THIRD

KEEP = "all its open referrals and erasures end; keep it listed with member_until and its keys"


def _without(register: Register, code: str, *, closed: bool = False) -> Register:
    """The next version: without the agency and its agreements, or with it closed and without a key."""
    content = register.content
    update: dict[str, object] = {"version": content.version + 1}
    if closed:
        end = {"member_until": content.issued_at, "signing_keys": ()}
        update["agencies"] = tuple(
            each.model_copy(update=end) if each.code == code else each for each in content.agencies
        )
    else:
        update["agencies"] = tuple(each for each in content.agencies if each.code != code)
        update["agreements"] = tuple(each for each in content.agreements if code not in (each.sender, each.recipient))
    return read_register(render_register(content.model_copy(update=update)))


def test_an_agency_that_is_dropped_or_closed_without_a_key_is_named_with_what_is_open_there(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as trio:
        old = trio.register
        dropped, closed = _without(old, RECIPIENT), _without(old, RECIPIENT, closed=True)
        assert left_by(old, dropped) == left_by(old, closed) == [RECIPIENT]
        assert cut_off(old, dropped) == [f"{RECIPIENT} is not listed any more: {KEEP}"]
        much = {RECIPIENT: Open(3, 1)}
        assert cut_off(old, closed, much) == [
            f"{RECIPIENT} is closed with no valid key left: 3 open referrals to it, 1 of them overdue; {KEEP}"
        ]
        assert cut_off(old, dropped, {}) == [
            f"{RECIPIENT} is not listed any more: how much is open there could not be read; {KEEP}"
        ]
        assert cut_off(old, old) == []


def test_an_agreement_that_is_not_listed_any_more_is_named(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as trio:
        content = trio.register.content
        first, *others = content.agreements
        new = read_register(render_register(content.model_copy(update={"agreements": tuple(others)})))
        [said] = cut_off(trio.register, new)
        assert said.startswith(f"the agreement from {first.sender} to {first.recipient} is not listed any more: ")


def test_the_version_before_and_what_is_open_are_read_from_the_bus(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as trio:
        files, steward = trio.generated.files, next(iter(trio.generated.steward_keys.values()))
        old, new, now = trio.register, _without(trio.register, RECIPIENT), trio.clock()
        assert version_before(trio.broker, new, now) is None
        assert parse_register(files.register, known_services()).version == old.version
        publish_register(trio.broker, old, files.register, parse_signatures(files.signatures), steward)
        found = version_before(trio.broker, new, now)
        assert found is not None
        assert found.sha256 == old.sha256
        assert version_before(trio.broker, old, now) is None, "only a version below"
        for _ in range(2):
            trio[SENDER].refer(RECIPIENT)
        trio.settle()
        trio[RECIPIENT].announce()
        trio[RECIPIENT].send()
        assert open_at(trio.broker, found, [RECIPIENT, "an-agency-without-a-topic"], now) == {RECIPIENT: Open(2, 0)}
