"""An agency's settings: one frozen object, from `settings.toml` in its home folder and REFERRAL_BUS_ variables.

A variable wins over the file. An unknown key or variable is an error, so that a misspelt one is not silently ignored.
"""

import os
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from referral_bus.broker.loopback import refuse_elsewhere
from referral_bus.errors import Reason, Refused
from referral_bus.files import read_own
from referral_bus.ledger.retention import Retention
from referral_bus.setting_forms import no_such, place_of_setting, refused_setting
from schemas.bounded_toml import NotToml, load_toml
from schemas.deadlines import Limits
from schemas.events import AgencyCode

PREFIX = "REFERRAL_BUS_"
MAX_PORT = 65_535


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of this name") from None
    return name


def _webhook_url(url: str) -> str:
    """Accepts HTTPS, and HTTP to a loopback address, whose traffic does not leave this machine. Does not resolve the
    host."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.fragment or parts.port == 0:
        raise ValueError("an address with a host and neither a user nor a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise ValueError("https, or http on loopback")
    return url


def _ports(addresses: str) -> str:
    if not all(0 < int(address.rpartition(":")[2]) <= MAX_PORT for address in addresses.split(",")):
        raise ValueError("ports from 1 to 65535")
    return addresses


def refuse_unknown_variables(prefix: str, known: Collection[str], aside: tuple[str, ...] = ()) -> None:
    """Raises `Refused` for an environment variable that begins with `prefix` and is not in `known`: it is misspelt, and
    would be silently ignored. Variables that begin with one of `aside` belong to other programs."""
    names = [name for name in os.environ if name.upper().startswith(prefix)]
    for name in sorted(names):
        if name.upper() not in known and not name.upper().startswith(aside):
            raise Refused(Reason.SETTINGS_INVALID, no_such("variable", name.upper(), known, prefix), name)


Kafka = Annotated[
    str, StringConstraints(pattern=r"^[^\s,]+:[0-9]{1,5}(,[^\s,]+:[0-9]{1,5})*$"), AfterValidator(_ports)
]  # host:port, several with commas
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Days = Annotated[float, Field(gt=0, le=3650)]


class Settings(BaseSettings):
    """All settings of an agency's service, with their defaults. The end of a name gives the unit: `_s` seconds, `_h`
    hours, `_d` days."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True
    )

    agency: AgencyCode
    federation: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
    kafka: Kafka
    producer: bool = True  # this agency starts referrals
    consumer: bool = True  # the service hands received events over to the agency's own system
    handler: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None  # module:factory; None: by pull
    handover_workers: Annotated[int, Field(ge=1, le=32)] = 4
    handover_retry_s: Seconds = 10.0
    handover_attempts: Annotated[int, Field(ge=1, le=100)] = 10
    webhook_url: (
        Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=2000), AfterValidator(_webhook_url)] | None
    ) = None
    webhook_timeout_s: Annotated[float, Field(gt=0, le=60)] = 8.0  # for one whole call
    dead_letters_kept: Annotated[int, Field(ge=1, le=1_000_000)] = (
        10_000  # refused dead letters; `held_events` bounds the held ones for each writer
    )
    resend_after_s: Seconds = 30.0
    announce_every_s: Seconds = 60.0
    unanswered_after_h: Annotated[float, Field(gt=0, le=8760)] = 72.0  # a question or a request to cancel is overdue
    idle_after_d: Annotated[float, Field(gt=0, le=3650)] = 30.0  # an open referral without an event is overdue
    retain_ended_d: Days = 90.0  # the personal part of an ended referral
    retain_erased_d: Days = 90.0  # the clear rows of an erased one; its tombstone stays
    retain_dead_letters_d: Days = 90.0
    consent_grace_d: Days = 7.0  # an open referral is erased so long after its consent has expired
    unconfirmed_after_h: Annotated[float, Field(gt=0, le=8760)] = 72.0  # an erasure without confirmation is overdue
    stuck_after_s: Annotated[float, Field(ge=10, le=86_400)] = 120.0  # a thread without progress ends the process
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 9464  # 0 takes a free port, which `agency status` shows
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Tashkent"

    @property
    def resend_after(self) -> timedelta:
        return timedelta(seconds=self.resend_after_s)

    @property
    def limits(self) -> Limits:
        return Limits(timedelta(hours=self.unanswered_after_h), timedelta(days=self.idle_after_d))

    @property
    def retention(self) -> Retention:
        ended, erased, letters, grace = (
            timedelta(days=days)
            for days in (self.retain_ended_d, self.retain_erased_d, self.retain_dead_letters_d, self.consent_grace_d)
        )
        return Retention(ended=ended, erased=erased, dead_letters=letters, consent_grace=grace)

    @property
    def unconfirmed_after(self) -> timedelta:
        return timedelta(hours=self.unconfirmed_after_h)

    @property
    def handover_retry(self) -> timedelta:
        return timedelta(seconds=self.handover_retry_s)

    @classmethod
    def variables(cls) -> frozenset[str]:
        """The names of all environment variables that an agency's commands read."""
        return frozenset(f"{PREFIX}{name.upper()}" for name in (*cls.model_fields, "home"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        refuse_unknown_variables(PREFIX, cls.variables(), (f"{PREFIX}MONITOR_",))
        return env_settings, init_settings


def load_settings(path: Path) -> Settings:
    """The settings of the file at `path` and of the variables. Raises `Refused`, which names the wrong setting."""
    try:
        content: dict[str, Any] = load_toml(read_own(path))
    except FileNotFoundError:
        raise Refused(
            Reason.HOME_INVALID, "this folder is no agency's home; see `agency init`", "settings.toml"
        ) from None
    except NotToml as error:
        raise Refused(Reason.SETTINGS_INVALID, error.why, path.name) from None
    if unknown := sorted(set(content) - set(Settings.model_fields)):  # the library takes some for options
        raise Refused(
            Reason.SETTINGS_INVALID, no_such("setting", unknown[0], Settings.model_fields), ", ".join(unknown)
        )
    try:
        settings = Settings(**content)
    except ValidationError as error:
        raise refused_setting(error, Settings, PREFIX, path.name) from None
    refuse_elsewhere(settings.kafka, place_of_setting("kafka", PREFIX, "kafka"))
    return settings


def new_settings(agency: str, federation: str, kafka: str) -> Settings:
    """The settings of a new home. Raises `Refused`, which names the wrong option, or the variable that wins over it."""
    try:
        settings = Settings(agency=agency, federation=federation, kafka=kafka)
    except ValidationError as error:
        raise refused_setting(error, Settings, PREFIX, "settings.toml", "--") from None
    refuse_elsewhere(settings.kafka, place_of_setting("kafka", PREFIX, "--kafka"))
    return settings


def render_settings(settings: Settings) -> str:
    """The content of `settings.toml` for these settings. Settings with their default stand in comments, so that the
    file shows all that can be set."""
    lines = ["# Settings of a Referral Bus agency service. REFERRAL_BUS_<NAME> variables win over this file."]
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is None:
            lines.append(f"# {name} is not set")
            continue
        line = f"{name} = {_toml(value)}"
        lines.append(line if value != field.default else f"# {line}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
