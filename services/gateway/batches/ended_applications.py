"""Deletes files and batches of OAuth applications that have ended: the router knows no grants, and auth no files.

One gateway of the fleet does it at a time; twice would do no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from servicekit.clock import Clock
from services.gateway.clients.notifications.owners import Maker, Standing
from services.gateway.clients.router.applications import ApplicationClient
from services.gateway.metering.chores.rounds import again_and_again
from services.gateway.metering.interfaces import ElectsLeader

CHORE: Final = "applications"
BATCH: Final = 500
# Gigabytes may have to be deleted; the next round goes on with what is left.
TIMEOUT_S: Final = 300.0
# As makers are named. Whatever spends one budget is one application to the router, under the consent that has it.
CONSENT: Final = "consent:"

# "consent:<grant>" -> how it stands with it; nothing of those that cannot be judged.
GetMakers = Callable[[Sequence[str]], Awaitable[list[Maker]]]


class EndedApplications:
    """Asks auth which applications have ended and tells the router."""

    def __init__(
        self,
        election: ElectsLeader,
        get_makers: GetMakers,
        applications: ApplicationClient,
        *,
        clock: Clock,
        every_s: float,
    ) -> None:
        self._election = election
        self._get_makers = get_makers
        self._applications = applications
        self._clock = clock
        self._every_s = every_s

    async def serve(self) -> None:
        """Look for ended applications, again and again; cancel it to stop."""
        await again_and_again(
            self._election,
            CHORE,
            self.look,
            clock=self._clock,
            every_s=self._every_s,
            timeout_s=TIMEOUT_S,
            missed="batches.applications_missed",
        )

    async def look(self) -> None:
        """Have the router delete what is left of applications that have ended.

        Raises:
            ServiceError: auth or the router is away.
        """
        after = ""
        while found := await self._applications.page(after, BATCH):
            after = found[-1]
            # Asked after they were listed: auth knew all of them by then. A disabled one may be enabled again.
            makers = await self._get_makers([CONSENT + each for each in found])
            ended = [each.subject.removeprefix(CONSENT) for each in makers if each.standing is Standing.ENDED]
            if ended:
                await self._applications.end(ended)
