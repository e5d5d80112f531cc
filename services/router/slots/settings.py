"""Settings of the lines for providers' slots."""

from __future__ import annotations

from pydantic import Field, field_validator

from servicekit.settings import Part


class SlotSettings(Part):
    """How calls wait when a provider's quota is used up; the quotas themselves are settings of the providers."""

    places: int = Field(1000, ge=1)
    """Calls that may wait in one line, over all replicas; when it is full, whoever would be served last is refused."""
    shares: dict[str, float] = Field(
        default_factory=lambda: {"free": 1.0, "pro": 3.0, "enterprise": 10.0, "batch": 0.1}
    )
    """Calls that a user of each tier is given while one of share 1 is given one, as JSON; other tiers have 1.

    `batch` is the tier of lines of batches.
    """
    lease_s: float = Field(15.0, ge=3.0)
    """Seconds after which the slots of a router that has died are given to others."""
    idle_s: float = Field(5.0, gt=0)
    """Seconds for which a router keeps a slot that nobody asks it for."""
    rest_s: float = Field(0.2, ge=0)
    """Seconds for which a slot rests after a call that was cut: the provider may notice later than we do."""
    replicas: int = Field(1, ge=1)
    """Routers among which quotas are divided while Redis is lost, if no more were seen before."""

    @field_validator("shares")
    @classmethod
    def _are_positive(cls, shares: dict[str, float]) -> dict[str, float]:
        if wrong := [tier for tier, share in shares.items() if not 0.001 <= share <= 1000]:
            raise ValueError(f"the share of {', '.join(sorted(wrong))} must be between 0.001 and 1000")
        return shares
