"""Settings of circuits and of the retry budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydantic import Field

from servicekit.settings import Part
from services.router.circuits.domain.circuit import Rules

# A credential that was refused so often in a row, by whatever models, is refused as such.
CREDENTIAL_REFUSALS: Final = 3


class CircuitSettings(Part):
    """When calls to a provider's model are stopped, and how they resume."""

    window_s: float = Field(30.0, gt=0)
    """Seconds that calls are counted for."""
    min_calls: int = Field(20, ge=1)
    """Calls in the window before a share of them counts."""
    failure_share: float = Field(0.5, gt=0, le=1)
    """Share of failed calls, time-outs among them, that opens a circuit."""
    slow_share: float = Field(0.8, gt=0, le=1)
    """Share of calls that ran out of time, or took longer than SLOW_S, that opens a circuit."""
    slow_s: float = Field(60.0, gt=0)
    """Seconds until the first content (a whole answer: until its end) from which an answer counts as slow."""
    consecutive: int = Field(5, ge=1)
    """Failures in a row that open a circuit."""
    open_s: float = Field(30.0, gt=0)
    """Seconds a circuit stays open; twice as long when it opens again soon after it had closed, and so on."""
    longest_open_s: float = Field(300.0, gt=0)
    """Seconds it stays open at most; closed for as long, it is as good as new."""
    jitter: float = Field(0.2, ge=0, le=1)
    """Share of that time that chance adds, so that replicas do not probe together."""
    probes: int = Field(3, ge=1)
    """Calls that are let through at a time to probe; all must be answered."""
    longest_cooling_s: float = Field(60.0, ge=0)
    """Seconds that a model is left out at most for the provider's own Retry-After; 0: never."""
    retry_share: float = Field(0.1, ge=0, le=1)
    """Retries of a provider's failed calls, as a share of its requests of the last minute."""
    retry_floor: int = Field(3, ge=0)
    """Retries a minute that are always allowed."""
    share_s: float = Field(2.0, gt=0)
    """Seconds between two looks at the circuits and drains that other replicas have written."""

    def rules(self) -> Rules:
        """Return the rules of a model's circuit."""
        return Rules(
            window_s=self.window_s,
            min_calls=self.min_calls,
            failure_share=self.failure_share,
            slow_share=self.slow_share,
            consecutive=self.consecutive,
            open_s=self.open_s,
            longest_open_s=self.longest_open_s,
            jitter=self.jitter,
            probes=self.probes,
        )

    def credential_rules(self) -> Rules:
        """Return the rules of a credential's circuit: it is refused or it is not, shares say nothing."""
        return replace(self.rules(), consecutive=CREDENTIAL_REFUSALS, failure_share=1.0, slow_share=1.0)
