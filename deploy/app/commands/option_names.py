"""Makes refusals name the option by which a field was typed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from referral_bus.errors import BusError


@contextmanager
def by_option_names(option_of: Mapping[str, str]) -> Iterator[None]:
    """Replaces the path of an error by the option in `option_of` for that field, or for the field that contains it."""
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
