"""The monitor's settings: one frozen object, from `settings.toml` in its home folder and REFERRAL_BUS_MONITOR_
variables. A variable wins over the file, and an unknown key is an error."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from referral_bus.broker.loopback import refuse_elsewhere
from referral_bus.errors import Reason, Refused
from referral_bus.files import read_own
from referral_bus.setting_forms import no_such, place_of_setting, refused_setting
from referral_bus.settings import PREFIX, Kafka, Seconds, Settings, refuse_unknown_variables
from schemas.bounded_toml import NotToml, load_toml

FILE = "settings.toml"
MONITOR_PREFIX = f"{PREFIX}MONITOR_"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no time zone of this name") from None
    return name


class MonitorSettings(BaseSettings):
    """Every setting, with its default."""

    model_config = SettingsConfigDict(
        env_prefix=MONITOR_PREFIX,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    federation: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
    kafka: Kafka
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 9465  # 0 takes a free one; `monitor status` tells which
    look_every_s: Seconds = 15.0  # at how far others have read
    heartbeat_every_s: Seconds = 60.0  # as agencies announce themselves; three missed ones are silence
    keep_days: Annotated[int, Field(ge=15, le=3650)] = 90  # after a referral's end; longer than Kafka keeps its records
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Tashkent"

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.keep_days)

    @property
    def heartbeat_every(self) -> timedelta:
        return timedelta(seconds=self.heartbeat_every_s)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        own = {f"{MONITOR_PREFIX}{name.upper()}" for name in (*cls.model_fields, "home")}
        refuse_unknown_variables(PREFIX, Settings.variables() | own)
        return env_settings, init_settings


def load_settings(folder: Path) -> MonitorSettings:
    """Raises `Refused` naming the setting."""
    try:
        content: dict[str, Any] = load_toml(read_own(folder / FILE))
    except FileNotFoundError:
        raise Refused(Reason.HOME_INVALID, "this folder is no monitor's home; see `monitor init`", FILE) from None
    except NotToml as error:
        raise Refused(Reason.SETTINGS_INVALID, error.why, FILE) from None
    if unknown := sorted(set(content) - set(MonitorSettings.model_fields)):
        advice = no_such("setting", unknown[0], MonitorSettings.model_fields)
        raise Refused(Reason.SETTINGS_INVALID, advice, ", ".join(unknown))
    try:
        settings = MonitorSettings(**content)
    except ValidationError as error:
        raise refused_setting(error, MonitorSettings, MONITOR_PREFIX, FILE) from None
    refuse_elsewhere(settings.kafka, place_of_setting("kafka", MONITOR_PREFIX, "kafka"))
    return settings


def new_settings(federation: str, kafka: str) -> MonitorSettings:
    """For a new home. Raises `Refused` naming the option, or the variable that wins over it."""
    try:
        settings = MonitorSettings(federation=federation, kafka=kafka)
    except ValidationError as error:
        raise refused_setting(error, MonitorSettings, MONITOR_PREFIX, FILE, "--") from None
    refuse_elsewhere(settings.kafka, place_of_setting("kafka", MONITOR_PREFIX, "--kafka"))
    return settings


def render_settings(settings: MonitorSettings) -> str:
    """The file for these settings, defaults as comments, so that one sees what can be set."""
    lines = ["# Settings of a Referral Bus flow monitor. REFERRAL_BUS_MONITOR_<NAME> variables win over this file."]
    for name, field in MonitorSettings.model_fields.items():
        value = getattr(settings, name)
        line = f"{name} = {json.dumps(value)}"  # which is TOML, too, for texts and numbers
        lines.append(line if value != field.default else f"# {line}")
    return "\n".join(lines) + "\n"
