"""Settings of files and batches."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part


class BatchSettings(Part):
    """What callers may keep here, and how batches are worked on."""

    file_mb: int = Field(100, ge=1)
    """Megabytes of one uploaded file at most."""
    owner_mb: int = Field(1024, ge=1)
    """Megabytes of all files of one user at most, results of batches included."""
    open_batches: int = Field(50, ge=1)
    """Batches of one user that have not ended at most."""
    kept_days: int = Field(30, ge=1)
    """Days that files, and batches that have ended, are kept at most."""
    lease_s: float = Field(60.0, ge=1)
    """Seconds after which the lines of a gateway that vanished are claimed by another; renewed three times as often."""
    tend_s: float = Field(1.0, gt=0)
    """Seconds between two looks for batches whose lines are all answered, that are over, or may be forgotten."""
