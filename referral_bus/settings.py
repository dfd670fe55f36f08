"""An agency's settings: one frozen object, from `settings.toml` in its home folder and REFERRAL_BUS_ variables."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from referral_bus import setting_files
from referral_bus.ledger.retention import Retention
from referral_bus.setting_files import (
    MONITOR_PREFIX,
    PREFIX,
    Days,
    FederationId,
    HomeSettings,
    HttpPort,
    Kafka,
    Seconds,
    TimeZone,
)
from schemas.deadlines import Limits
from schemas.events import AgencyCode


def _webhook_url(url: str) -> str:
    """Accepts HTTPS, and HTTP to a loopback address, whose traffic does not leave this machine. Does not resolve the
    host."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.fragment or parts.port == 0:
        raise ValueError("an address with a host and neither a user nor a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise ValueError("https, or http on loopback")
    return url


class Settings(HomeSettings):
    """All settings of an agency's service, with their defaults. The end of a name gives the unit: `_s` seconds, `_h`
    hours, `_d` days."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    agency: AgencyCode
    federation: FederationId
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
    http_port: HttpPort = 9464  # 0 takes a free port, which `agency status` shows
    time_zone: TimeZone = "Asia/Tashkent"

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
    def refuse_unknown_variables(cls) -> None:
        """The monitor's variables are set beside an agency's where both run on one machine."""
        setting_files.refuse_unknown_variables(PREFIX, cls.variables(), (MONITOR_PREFIX,))


def load_settings(folder: Path) -> Settings:
    """The settings of a home folder and of the variables. Raises `Refused`, which names the wrong setting."""
    return setting_files.read_settings(Settings, folder, "this folder is no agency's home; see `agency init`")


def new_settings(agency: str, federation: str, kafka: str) -> Settings:
    """The settings of a new home. Raises `Refused`, which names the wrong option, or the variable that wins over it."""
    return setting_files.make_settings(Settings, agency=agency, federation=federation, kafka=kafka)


def render_settings(settings: Settings) -> str:
    """The content of `settings.toml` for these settings."""
    return setting_files.render_settings(settings, "Settings of a Referral Bus agency service.")
