"""Pushes to usage what only auth knows of users with notification channels: addresses, budgets, keys that expire.

Usage sends the notifications and stores no accounts. It also learns which keys and applications have ended, so that
what they made (channels, rules, schedules) ends with them. One gateway of the fleet does it at a time; two do no harm.
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
# Enough for some ten thousand users; the next round goes on where this one stopped.
TIMEOUT_S: Final = 300.0
# So many failed batches in a row are not the fault of a user in them.
MOST_MISSED: Final = 3


class AccountSync:
    """Reads from auth and writes to usage, round after round."""

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
        # The last user of the batch before: a batch that fails or takes too long does not hold up those after it.
        self._after = ""

    async def serve(self) -> None:
        """Push all users, again and again; cancel it to stop."""
        await again_and_again(
            self._election,
            CHORE,
            self.sync_all,
            clock=self._clock,
            every_s=self._every_s,
            timeout_s=TIMEOUT_S,
            missed="notifications.telling_missed",
        )

    async def sync_all(self) -> None:
        """Push every user whom usage has anything of, from where the last round was cut off.

        Raises:
            ServiceError: several batches in a row failed; the next round begins after them.
        """
        missed = 0
        while (page := await self._usage.watched(self._after, BATCH)).user_ids:
            user_ids = page.user_ids
            # Before the push: a batch that hangs until the round is over is not the first of the next round.
            self._after = user_ids[-1]
            try:
                # After the list was read: auth knew all of them by then.
                await self.sync(user_ids, await self._owners.get_makers(page.makers), page.as_of)
            except ServiceError as exc:
                missed += 1
                log.warning("notifications.batch_missed", first=user_ids[0], reason=exc.reason.value)
                if missed == MOST_MISSED:
                    raise
            else:
                missed = 0
        self._after = ""

    async def sync(
        self, user_ids: Sequence[str], makers: Sequence[Maker] = (), makers_as_of: datetime | None = None
    ) -> None:
        """Push some users with the members of their organizations, and the models that end.

        `makers` are credentials that usage listed at `makers_as_of`, and their state.

        Raises:
            ServiceError: auth or usage is away.
        """
        known = await self._owners.get_owners(user_ids)
        members = {subject: await self._members_of(id) for subject, id in organizations_of(known.owners).items()}
        now = self._clock.now()
        await self._usage.put_people(
            known, self._ending_models(), members, now, makers=makers, makers_as_of=makers_as_of
        )

    async def sync_user(self, user_id: str) -> None:
        """Push one user at once: a new channel can be tested, a deleted account is forgotten. Never raises.

        What fails here is made up for by the next round.
        """
        try:
            await self.sync([user_id])
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
