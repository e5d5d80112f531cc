"""What stands against taking requests, and what a person must look at."""

from __future__ import annotations

from collections.abc import Callable

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.readiness.clock_watch import ClockWatch
from services.gateway.metering.shipper import Shipper


class Health:
    """The state of the journal, of the records behind it, and of the clock they are dated by."""

    def __init__(
        self,
        journal: Journal,
        shipper: Shipper,
        clock_watch: ClockWatch,
        *,
        open_requests: Callable[[], int],
        max_unjournalled: int,
    ) -> None:
        self._journal = journal
        self._shipper = shipper
        self._clock_watch = clock_watch
        self._open_requests = open_requests
        self._max_unjournalled = max_unjournalled

    def refusals(self) -> list[str]:
        """Return why no request may begin that could not be accounted for, in words.

        Every open request may still need a place in memory: none may begin that might find none.
        """
        found = self._clock_watch.problems()
        if self._shipper.unjournalled + self._open_requests() >= self._max_unjournalled:
            found.append(f"{self._shipper.unjournalled} records wait in memory for room in the journal")
        return found

    def problems(self) -> list[str]:
        """Return why the gateway is not ready, in words."""
        missing, unaccounted = self._journal.missing, self._shipper.accounts.unaccounted
        found = {
            "the journal takes no records: the disk is full or gone": not self._journal.has_room,
            f"{missing} frames that were written to the journal cannot be read": missing > 0,
            f"{unaccounted} records are unaccounted for": unaccounted > 0,
        }
        return [text for text, is_so in found.items() if is_so] + self.refusals()

    def warnings(self) -> list[str]:
        """Return what a person must look at although requests can be taken."""
        count = self._journal.quarantine.count
        return [f"{count} damaged journal files in {self._journal.quarantine.folder}"] if count else []


def unaccountable() -> Unavailable:
    """Return what a caller hears of whom no request may begin."""
    return Unavailable(
        ErrorReason.SERVICE_UNAVAILABLE, "The service cannot account for requests right now.", retry_after_s=5.0
    )
