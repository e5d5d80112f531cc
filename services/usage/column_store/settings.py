"""Settings of analytics: USAGE_ANALYTICS_*."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, model_validator

from servicekit.settings import OptionalPath, Part

_FORM: Final = "https://user:password@host:port/database"


class AnalyticsStore(StrEnum):
    """The store that answers questions about usage."""

    POSTGRES = "postgres"
    CLICKHOUSE = "clickhouse"


class AnalyticsSettings(Part):
    """Which store answers analytics, patterns and reports."""

    store: AnalyticsStore = AnalyticsStore.POSTGRES
    """postgres, or clickhouse: then it is fed, and answers once what was there is copied (`column_store_command`)."""
    dsn: SecretStr = SecretStr("")
    """https://user:password@host:port/database of ClickHouse's HTTP interface (http:// without TLS); for clickhouse."""
    ca: OptionalPath = None
    """File with the authorities that may have signed the certificate of https://; empty: the system's."""
    connections: int = Field(8, ge=1)
    """Questions to ClickHouse at one time at most."""
    question_timeout_s: float = Field(5.0, gt=0, lt=10)
    """Seconds that somebody who waits waits for ClickHouse; PostgreSQL answers then. A gateway waits for ten."""
    timeout_s: float = Field(30.0, gt=0)
    """Seconds after which ClickHouse counts as away for the feed and for reports."""
    feed_every_s: float = Field(0.5, gt=0)
    """Seconds from one look for new rows to the next."""
    feed_rows: int = Field(50_000, ge=1)
    """Rows in one insert at most, unless one transaction wrote more."""
    behind_max_s: float = Field(60.0, gt=0)
    """Seconds that ClickHouse may be behind; when it is further behind PostgreSQL answers."""

    @model_validator(mode="after")
    def _is_whole(self) -> AnalyticsSettings:
        if self.store is not AnalyticsStore.CLICKHOUSE:
            return self
        parts = self.address
        if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.path.strip("/"):
            raise ValueError(f"store clickhouse needs USAGE_ANALYTICS_DSN in the form {_FORM}")
        return self

    @property
    def address(self) -> SplitResult:
        """Where ClickHouse is, taken apart."""
        return urlsplit(self.dsn.get_secret_value())

    def faults(self, prefix: str) -> Iterator[str]:
        """Yield what production refuses."""
        if self.store is AnalyticsStore.CLICKHOUSE and self.address.scheme != "https":
            yield f"{prefix}ANALYTICS_DSN: http:// can be overheard; take https:// (and ANALYTICS_CA)"
