"""The monitor's settings: one frozen object, read from `settings.toml` in its home folder and from
REFERRAL_BUS_MONITOR_ variables. A variable overrides the file, and an unknown name is an error."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from referral_bus import setting_files
from referral_bus.setting_files import (
    MONITOR_PREFIX,
    PREFIX,
    FederationId,
    HomeSettings,
    HttpPort,
    Kafka,
    Seconds,
    TimeZone,
)
from referral_bus.settings import Settings


class MonitorSettings(HomeSettings):
    """Every setting, with its default."""

    model_config = SettingsConfigDict(env_prefix=MONITOR_PREFIX)

    federation: FederationId
    kafka: Kafka
    http_port: HttpPort = 9465  # 0 takes a free one; `monitor status` tells which
    look_every_s: Seconds = 15.0  # between two looks at how far the agencies' services have read
    heartbeat_every_s: Seconds = 60.0  # between two announcements of an agency; three missed ones count as silence
    keep_days: Annotated[int, Field(ge=15, le=3650)] = 90  # after a referral's end; longer than Kafka keeps its records
    time_zone: TimeZone = "Asia/Tashkent"

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.keep_days)

    @property
    def heartbeat_every(self) -> timedelta:
        return timedelta(seconds=self.heartbeat_every_s)

    @classmethod
    def refuse_unknown_variables(cls) -> None:
        """An agency's variables are set beside the monitor's where both run on one machine."""
        own = {f"{MONITOR_PREFIX}{name.upper()}" for name in (*cls.model_fields, "home")}
        setting_files.refuse_unknown_variables(PREFIX, Settings.variables() | own)


def load_settings(folder: Path) -> MonitorSettings:
    """The settings of a home folder and of the variables. Raises `Refused`, which names the wrong setting."""
    return setting_files.read_settings(MonitorSettings, folder, "this folder is no monitor's home; see `monitor init`")


def new_settings(federation: str, kafka: str) -> MonitorSettings:
    """The settings of a new home. Raises `Refused`, which names the wrong option, or the variable that wins over it."""
    return setting_files.make_settings(MonitorSettings, federation=federation, kafka=kafka)


def render_settings(settings: MonitorSettings) -> str:
    """The content of `settings.toml` for these settings."""
    return setting_files.render_settings(settings, "Settings of a Referral Bus flow monitor.")
