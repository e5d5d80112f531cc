"""The face of metering (interface first; the work follows)."""

from __future__ import annotations

from services.gateway.metering.outcome import Dispatched, Outcome


class Meter:
    """One dispatched request."""

    def progress(self, delivered_tokens: int) -> None:
        """Say how many output tokens the caller has by now in total; journals each 256 tokens or 1 s."""
        raise NotImplementedError

    async def settle(self, outcome: Outcome) -> int:
        """Journal the exact usage, then settle the admission; returns the cost in micro-roubles. Call it once."""
        raise NotImplementedError

    async def void(self) -> None:
        """Nothing was asked of a provider after all: no row, no cost."""
        raise NotImplementedError


class Metering:
    """Journals, settles and ships; owned by the lifecycle."""

    @property
    def is_ready(self) -> bool:
        """Tell whether the journal takes records (False: the disk is full or gone)."""
        raise NotImplementedError

    def dispatched(self, facts: Dispatched) -> Meter:
        """Journal that a request goes out. Raises Unavailable when the journal cannot be written."""
        raise NotImplementedError
