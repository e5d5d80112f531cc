"""Tells usage what auth knows of people who have channels: usage, which tells them of budgets and ends, has none of it.

And which credentials ended that made some of theirs, which end with those.

One gateway of the fleet does it at a time; twice would do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.gateway.admission.keys import ORGANIZATION_SUBJECT
from services.gateway.clients.budgets.shared_spend import MembersOf
from services.gateway.clients.catalog import CatalogWatch, Model
from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.notifications.owners import Maker, Owner, OwnerClient
from services.gateway.metering.chores.rounds import again_and_again
from services.gateway.metering.interfaces import ElectsLeader

log = structlog.get_logger()

CHORE: Final = "people"
BATCH: Final = 100
# Long enough for some ten thousand people; then the next round goes on where this one was.
TIMEOUT_S: Final = 300.0
# Batches in a row that could not be told: then it is not for one of the people that are in them.
MOST_MISSED: Final = 3


class Telling:
    """Asks auth and tells usage."""

    def __init__(
        self,
        election: ElectsLeader,
        owners: OwnerClient,
        usage: NotificationClient,
        catalog: CatalogWatch,
        members_of: MembersOf,
        *,
        clock: Clock,
        every_s: float,
    ) -> None:
        self._election = election
        self._owners = owners
        self._usage = usage
        self._catalog = catalog
        self._members_of = members_of
        self._clock = clock
        self._every_s = every_s
        # Behind whom the next batch begins: what cannot be told, or takes too long, keeps nobody behind it waiting.
        self._after = ""

    async def serve(self) -> None:
        """Tell of everybody, again and again; cancel it to stop."""
        await again_and_again(
            self._election,
            CHORE,
            self.tell_of_all,
            clock=self._clock,
            every_s=self._every_s,
            timeout_s=TIMEOUT_S,
            missed="notifications.telling_missed",
        )

    async def tell_of_all(self) -> None:
        """Tell of everybody who has something, from where the last round was cut off.

        Raises:
            ServiceError: auth or usage is away; the next round goes on behind those who could not be told of.
        """
        missed = 0
        while (page := await self._usage.watched(self._after, BATCH)).user_ids:
            user_ids = page.user_ids
            # Before they are told of: a batch that hangs until the round is over is not the first of the next one.
            self._after = user_ids[-1]
            try:
                # Asked after they were listed: auth knew all of them by then.
                await self.tell_of(user_ids, await self._owners.get_makers(page.makers), page.as_of)
            except ServiceError as exc:
                missed += 1
                log.warning("notifications.batch_missed", first=user_ids[0], reason=exc.reason.value)
                if missed == MOST_MISSED:
                    raise
            else:
                missed = 0
        self._after = ""

    async def tell_of(
        self, user_ids: Sequence[str], makers: Sequence[Maker] = (), makers_as_of: datetime | None = None
    ) -> None:
        """Tell of some people, and how it stands with makers of a list that was read at a moment.

        Raises:
            ServiceError: auth or usage is away.
        """
        known = await self._owners.get_owners(user_ids)
        members = {subject: await self._members_of(id) for subject, id in organizations_of(known.owners).items()}
        now = self._clock.now()
        await self._usage.put_people(
            known, self._ending_models(), members, now, makers=makers, makers_as_of=makers_as_of
        )

    async def introduce(self, user_id: str) -> None:
        """Tell of somebody who has just made a channel, so that a test arrives, or whose account has just ended.

        Else the next round tells of whoever has anything there by which usage names them.
        """
        try:
            await self.tell_of([user_id])
        except ServiceError as exc:
            log.warning("notifications.introduction_missed", reason=exc.reason.value)

    def _ending_models(self) -> list[Model]:
        now = self._clock.now()
        if not self._catalog.is_ready:
            return []
        models = self._catalog.current().models
        return [model for model in models if model.shutdown_at is not None and model.shutdown_at > now]


def organizations_of(owners: Sequence[Owner]) -> dict[str, str]:
    """Return the organizations among the owners' budgets: subject -> id."""
    subjects = [budget.subject for owner in owners for budget in owner.budgets]
    return {
        subject: subject.removeprefix(ORGANIZATION_SUBJECT)
        for subject in subjects
        if subject.startswith(ORGANIZATION_SUBJECT)
    }
