"""`publish --example` prints a request that can be published as it is; `schemas json` describes what it prints."""

from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import BaseModel

from deploy.app.agency_client import open_client
from deploy.app.commands.example_request import example_request
from tests.kit.command import PLANTED, Command, assert_refused
from tests.kit.homes import RECIPIENT
from tests.kit.json_schema import mismatches
from tests.unit.deploy.app.conftest import Federation

# What cannot stand beside a field that the example has, or needs a referral that is there already.
NOT_SHOWN = {"date_of_birth", "replaces", "best_interests_reason", "best_interests_approver"}


@pytest.fixture
def services(federation: Federation) -> list[str]:
    """What the agencies offer to which the sender may refer."""
    client = open_client(federation.sender.home)
    register, now = client.register, client.clock()
    sender = client.settings.agency
    client.close()
    offering = [agency for agency in register.content.agencies if register.agreed(sender, agency.code, now)]
    return sorted({service for agency in offering for service in agency.services})


def test_an_example_for_every_service_is_published_as_it_is(
    services: list[str], federation: Federation, command: Command, tmp_path: Path
) -> None:
    assert services
    schema = command(None, "schemas", "json").document
    for service in services:
        said = command(federation.sender, "publish", "--example", service)
        assert mismatches(said.document, schema, schema) == []
        file = tmp_path / f"{service}.json"
        file.write_text(said.out, encoding="utf-8")
        assert command(federation.sender, "publish", file).code == 0


def test_the_recipient_of_an_example_can_be_chosen(
    federation: Federation, command: Command, services: list[str]
) -> None:
    document = command(federation.sender, "publish", "--example", services[0], "--to", RECIPIENT).document
    assert (document["recipient"], document["body"]["consent"]["recipient"]) == (RECIPIENT, RECIPIENT)


def test_an_example_fills_every_field_that_can_stand_beside_the_others(federation: Federation) -> None:
    client = open_client(federation.sender.home)
    made = example_request(client.register, client.settings.agency, "mhpss", RECIPIENT, client.clock(), uuid4())
    client.close()
    assert _unset(made) == NOT_SHOWN


def _unset(model: BaseModel) -> set[str]:
    values = {name: getattr(model, name) for name in type(model).model_fields}
    inner = [_unset(value) for value in values.values() if isinstance(value, BaseModel)]
    return {name for name, value in values.items() if value is None or value == ()}.union(*inner)


def test_what_no_example_can_be_made_of_is_refused(federation: Federation, command: Command, tmp_path: Path) -> None:
    sender = federation.sender
    assert_refused(command(sender, "publish", "--example", PLANTED), "CODE_UNKNOWN", "--example")
    assert_refused(command(sender, "publish", "--example", "complaint"), "NOT_AGREED", "--example")
    assert_refused(command(sender, "publish"), "FIELD_MISSING", "FILE")
    both = (tmp_path / "a.json", "--example", "mhpss")
    assert_refused(command(sender, "publish", *both), "FIELD_MISSING", "FILE")
