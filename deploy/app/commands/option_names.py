"""A refusal of a field names the option by which the field was typed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from referral_bus.errors import BusError


@contextmanager
def by_option_names(option_of: Mapping[str, str]) -> Iterator[None]:
    """Renames the path of any error to the option of the field, or of the field that it is inside of."""
    try:
        yield
    except BusError as error:
        option = _option(error.path, option_of)
        if option is None:
            raise
        raise type(error)(error.reason, error.advice, option) from None


def _option(path: str | None, option_of: Mapping[str, str]) -> str | None:
    while path and path not in option_of:
        path = path.rpartition(".")[0]
    return option_of[path] if path else None
