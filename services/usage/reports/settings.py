"""Settings of reports: USAGE_REPORTS_*."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import OptionalPath, Part


class ReportSettings(Part):
    """How reports are generated and stored."""

    at_once_rows: int = Field(10_000, ge=0)
    """Requests that a report may be about and be ready when its order is answered; with more it waits for its turn."""
    rows_max: int = Field(1_000_000, ge=1)
    """Rows that a report of requests may have at most."""
    parallel: int = Field(2, ge=1, le=16)
    """Reports that one instance makes at once, each with a connection to PostgreSQL of its own."""
    scratch_dir: OptionalPath = None
    """Folder for files that grow: about 1 kB a row for xlsx and parquet, half of it for others; empty: the system's."""
    kept_days: int = Field(14, ge=1, le=366)
    """Days after which a report is deleted."""
    per_user: int = Field(100, ge=1)
    """Reports that one user may have at a time."""
    schedules_per_user: int = Field(20, ge=0)
    """Schedules that one user may have."""
    link_hours: float = Field(24.0, gt=0)
    """Hours that a link to a report works without a credential."""
    every_s: float = Field(2.0, gt=0)
    """Seconds between two looks for reports and schedules that are due."""
    lease_s: float = Field(60.0, ge=1)
    """Seconds after which a report of an instance that vanished is made again; renewed three times as often."""
    statement_timeout_s: float = Field(300.0, gt=0)
    """Seconds after which a statement that reads for a report is given up."""
