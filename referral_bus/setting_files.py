"""What the settings of an agency and of the monitor have in common: read from `settings.toml` in a home folder and from
environment variables, and written to a new home.

A variable wins over the file. An unknown key or variable is an error, so that a misspelt one is not silently ignored.
"""

import json
import os
from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from referral_bus.broker.loopback import refuse_elsewhere
from referral_bus.errors import Reason, Refused
from referral_bus.files import read_own
from referral_bus.setting_forms import no_such, place_of_setting, refused_setting
from schemas.bounded_toml import NotToml, load_toml

FILE = "settings.toml"
PREFIX = "REFERRAL_BUS_"
MONITOR_PREFIX = f"{PREFIX}MONITOR_"
MAX_PORT = 65_535


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of this name") from None
    return name


def _ports(addresses: str) -> str:
    if not all(0 < int(address.rpartition(":")[2]) <= MAX_PORT for address in addresses.split(",")):
        raise ValueError("ports from 1 to 65535")
    return addresses


FederationId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Kafka = Annotated[
    str, StringConstraints(pattern=r"^[^\s,]+:[0-9]{1,5}(,[^\s,]+:[0-9]{1,5})*$"), AfterValidator(_ports)
]  # host:port, several with commas
HttpPort = Annotated[int, Field(ge=0, le=MAX_PORT)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Days = Annotated[float, Field(gt=0, le=3650)]
TimeZone = Annotated[str, AfterValidator(_zone)]


class HomeSettings(BaseSettings):
    """The settings of a home folder. A subclass sets `env_prefix`, and has a field `kafka`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    kafka: Kafka

    @classmethod
    def prefix(cls) -> str:
        return cls.model_config.get("env_prefix", "")

    @classmethod
    @abstractmethod
    def refuse_unknown_variables(cls) -> None:
        """Raises `Refused` for an environment variable that looks like a setting and is none."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        cls.refuse_unknown_variables()
        return env_settings, init_settings


Model = TypeVar("Model", bound=HomeSettings)


def refuse_unknown_variables(prefix: str, known: Collection[str], aside: tuple[str, ...] = ()) -> None:
    """Raises `Refused` for an environment variable that begins with `prefix` and is not in `known`: it is misspelt, and
    would be silently ignored. Variables that begin with one of `aside` belong to other programs."""
    names = [name for name in os.environ if name.upper().startswith(prefix)]
    for name in sorted(names):
        if name.upper() not in known and not name.upper().startswith(aside):
            raise Refused(Reason.SETTINGS_INVALID, no_such("variable", name.upper(), known, prefix), name)


def read_settings(model: type[Model], folder: Path, no_home: str) -> Model:
    """The settings of a home folder. Raises `Refused`, which names the wrong setting; `no_home` is its advice where the
    folder has no settings."""
    try:
        content: dict[str, Any] = load_toml(read_own(folder / FILE))
    except FileNotFoundError:
        raise Refused(Reason.HOME_INVALID, no_home, FILE) from None
    except NotToml as error:
        raise Refused(Reason.SETTINGS_INVALID, error.why, FILE) from None
    if unknown := sorted(set(content) - set(model.model_fields)):  # the library takes some for options
        raise Refused(Reason.SETTINGS_INVALID, no_such("setting", unknown[0], model.model_fields), ", ".join(unknown))
    return _made(model, content, "")


def make_settings(model: type[Model], **given: str) -> Model:
    """The settings of a new home. Raises `Refused`, which names the wrong option, or the variable that wins over it."""
    return _made(model, given, "--")


def _made(model: type[Model], content: dict[str, Any], option: str) -> Model:
    try:
        settings = model(**content)
    except ValidationError as error:
        raise refused_setting(error, model, model.prefix(), FILE, option) from None
    refuse_elsewhere(settings.kafka, place_of_setting("kafka", model.prefix(), f"{option}kafka"))
    return settings


def render_settings(settings: HomeSettings, title: str) -> str:
    """The content of `settings.toml` for these settings. Settings with their default stand in comments, so that the
    file shows all that can be set."""
    lines = [f"# {title} {settings.prefix()}<NAME> variables win over this file."]
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value is None:
            lines.append(f"# {name} is not set")
            continue
        line = f"{name} = {json.dumps(value)}"  # which is TOML, too, for texts, numbers and truth values
        lines.append(line if value != field.default else f"# {line}")
    return "\n".join(lines) + "\n"
