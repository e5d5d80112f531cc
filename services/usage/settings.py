"""Settings of usage, read once from USAGE_* variables."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.configuration.production import postgres_faults, tls_faults
from servicekit.mail.settings import SmtpSettings
from servicekit.settings import (
    SERVICE_CONFIG,
    GrpcSettings,
    MetricsSettings,
    OptionalPath,
    Part,
    PostgresSettings,
    TelemetrySettings,
    TlsSettings,
)
from services.usage.archiving.settings import ArchiveSettings
from services.usage.column_store.settings import AnalyticsSettings
from services.usage.forecasting.settings import ForecastSettings
from services.usage.insights.settings import InsightsSettings
from services.usage.notifications.settings import (
    NotificationOptions,
    NotificationSettings,
    TelegramSettings,
    WebhookSettings,
    notification_faults,
)
from services.usage.reports.settings import ReportSettings


class IngestSettings(Part):
    """How batches of records are stored."""

    batch_max: int = Field(5000, ge=1)
    """Records in one call at most, and in one transaction."""
    transactions: int = Field(2, ge=1)
    """Transactions at one time; batches that come meanwhile share the next one."""
    tries_max: int = Field(5, ge=1)
    """Times a transaction is tried when PostgreSQL ends it by a deadlock or a serialization failure."""


class PartitionSettings(Part):
    """The monthly partitions of the usage table."""

    months_ahead: int = Field(2, ge=1, le=2)
    """Months after this one whose partitions are made before they are needed."""
    every_s: float = Field(3600.0, gt=0)
    """Seconds from one look at the partitions to the next."""


class InvariantSettings(Part):
    """The job that compares rows with rollups."""

    every_s: float = Field(300.0, gt=0)
    """Seconds from one check to the next."""
    days: int = Field(2, ge=1)
    """UTC days that a check covers, today included."""


class UsageSettings(BaseSettings):
    """All settings of the service."""

    model_config = SettingsConfigDict(**SERVICE_CONFIG | {"env_prefix": "USAGE_"})

    postgres: PostgresSettings
    grpc: GrpcSettings = GrpcSettings()
    tls: TlsSettings = TlsSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    ingest: IngestSettings = IngestSettings()
    partitions: PartitionSettings = PartitionSettings()
    invariants: InvariantSettings = InvariantSettings()
    analytics: AnalyticsSettings = AnalyticsSettings()
    archive: ArchiveSettings = ArchiveSettings()
    backup_stamp: OptionalPath = None
    """A file that every finished backup touches; its age is exported, and alarmed when it is over 26 hours."""
    forecasts: ForecastSettings = ForecastSettings()
    insights: InsightsSettings = InsightsSettings()
    reports: ReportSettings = ReportSettings()
    notifications: NotificationSettings = NotificationSettings()
    webhooks: WebhookSettings = WebhookSettings()
    telegram: TelegramSettings = TelegramSettings()
    mail: SmtpSettings = SmtpSettings()

    @property
    def notification_options(self) -> NotificationOptions:
        """What notifications are told."""
        return NotificationOptions(self.notifications, self.webhooks, self.telegram, self.mail)

    def production_faults(self) -> Iterator[str]:
        """Yield what production refuses."""
        yield from tls_faults("USAGE_", self.tls)
        yield from postgres_faults("USAGE_", self.postgres)
        yield from self.analytics.faults("USAGE_")
        yield from notification_faults(self.notifications, self.webhooks, self.mail)
