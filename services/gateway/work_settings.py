"""Settings of what a gateway does beside answering whoever waits: batches and probes."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from servicekit.settings import OptionalPath, Part


class BatchSettings(Part):
    """Files of callers and batches: /v1/files and /v1/batches."""

    file_mb: int = Field(100, ge=1)
    """Megabytes of an upload at most; the router's own limit (ROUTER_BATCHES_FILE_MB) counts too."""
    upload_s: float = Field(600.0, gt=0)
    """Seconds a client has to send a file."""
    lines: int = Field(50_000, ge=1)
    """Requests of one batch at most."""
    parallel: int = Field(32, ge=0)
    """Requests of batches that this gateway has answered at once; 0: it works on none."""
    poll_s: float = Field(1.0, gt=0)
    """Seconds between two looks for work while there is none."""
    renew_s: float = Field(20.0, gt=0)
    """Seconds between two signs of life, well below the router's lease (ROUTER_BATCHES_LEASE_S)."""
    line_s: float = Field(3600.0, gt=0)
    """Seconds one request of a batch may take: providers answer deferred calls when they have room."""


class ProbeSettings(Part):
    """Questions that the gateway itself asks every model version, as users would: with a key, for money."""

    every_s: float = Field(0.0, ge=0)
    """Seconds between two probes of a version, give or take a tenth; 0: none. 300 is what the alarms are made for."""
    key_file: OptionalPath = None
    """File with the API key that pays for probes, of an account and a budget of their own; read before each."""
    models: str = ""
    """Versions or names to probe, separated by commas; empty: all that chat, whatever they cost."""
    timeout_s: float = Field(60.0, gt=0)
    """Seconds after which a probe has failed."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.every_s and self.key_file is None:
            text = "set GATEWAY_PROBES_KEY_FILE to a file with an API key"
            raise ValueError(f"GATEWAY_PROBES_EVERY_S needs somebody who pays: {text}")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """Return `models`, split."""
        return tuple(part.strip() for part in self.models.split(",") if part.strip())
