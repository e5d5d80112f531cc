"""Settings of the archive: USAGE_ARCHIVE_*."""

from __future__ import annotations

from importlib.util import find_spec

from pydantic import Field, model_validator

from servicekit.settings import OptionalPath, Part


class ArchiveSettings(Part):
    """Which months are archived, and where."""

    after_months: int = Field(0, ge=0)
    """Whole months that stay, at least 3; older ones are written to Parquet and dropped. 0: every row stays."""
    folder: OptionalPath = None
    """Folder of the files, one a month, on a disk that is backed up; needs `razvilka[parquet]`."""
    every_s: float = Field(3600.0, gt=0)
    """Seconds from one look for months that are due to the next."""

    @model_validator(mode="after")
    def _is_whole(self) -> ArchiveSettings:
        if not self.after_months:
            return self
        if self.after_months < 3:
            raise ValueError("after_months must be 0 or at least 3: late records of a month need its rows")
        if self.folder is None:
            raise ValueError("folder must name where the files go when after_months is set")
        if find_spec("duckdb") is None:
            raise ValueError("after_months needs DuckDB, which writes Parquet: install razvilka[parquet]")
        return self
