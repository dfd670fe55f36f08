"""The request by which an agency starts a referral: the form of the files in `examples/`."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from schemas.code_lists import Coded, CodeForm
from schemas.events import AgencyCode
from schemas.personal import Broken, ReferralBody, Rule, SealedRecord
from schemas.text import line
from schemas.times import Instant

MOST_REQUESTS = 500
IDEMPOTENCY_KEY = r"^[!-~]{1,128}$"


class ReferralRequest(SealedRecord):
    """One referral to start. Without deadlines it gets those of its priority (`schemas.deadlines`). `local_ref` is the
    agency's own case number, which stays in its ledger. `publish` checks that the consent names this recipient.
    """

    recipient: AgencyCode
    priority: Annotated[CodeForm, Coded("priority")]
    acknowledge_by: Instant | None = None
    respond_by: Instant | None = None
    idempotency_key: Annotated[str, StringConstraints(pattern=IDEMPOTENCY_KEY)] | None = None
    local_ref: Annotated[str, line(120)] | None = None
    body: ReferralBody

    def rules(self) -> tuple[Rule, ...]:
        return (self._acknowledged_before_answered,)

    def _acknowledged_before_answered(self) -> Iterator[Broken]:
        if self.acknowledge_by and self.respond_by and self.respond_by < self.acknowledge_by:
            yield "respond_by", "not before acknowledge_by"


_LIST: TypeAdapter[tuple[ReferralRequest, ...]] = TypeAdapter(
    Annotated[tuple[ReferralRequest, ...], Field(min_length=1, max_length=MOST_REQUESTS)],
    config=ConfigDict(hide_input_in_errors=True),
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of what `parse_requests` accepts, for other software: one request, or a list of them."""
    either: TypeAdapter[Any] = TypeAdapter(
        ReferralRequest | Annotated[tuple[ReferralRequest, ...], Field(min_length=1, max_length=MOST_REQUESTS)]
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **either.json_schema()}


def parse_requests(text: str) -> tuple[ReferralRequest, ...]:
    """The requests in a JSON text, which holds one request or a list of up to `MOST_REQUESTS`. Raises
    `ValidationError`, which quotes the input: show its `problems` instead."""
    if text.lstrip().startswith("["):
        return _LIST.validate_json(text)
    return (ReferralRequest.model_validate_json(text),)
