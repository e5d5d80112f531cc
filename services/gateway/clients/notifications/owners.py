"""What auth tells of people who have notification channels, and of the credentials that made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

import grpc
from razvilka.auth.v1 import owners_pb2 as pb
from razvilka.auth.v1 import owners_pb2_grpc

from servicekit import rpc_client
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.periods import PERIODS
from services.gateway.clients.timestamps import moment

# As many as auth answers for in one question.
MOST_MAKERS: Final = 500


@dataclass(frozen=True, slots=True)
class OwnedBudget:
    """A cap on what a subject may spend, in the zone by which its periods go."""

    subject: str
    name: str
    limit_micro_rub: int
    period: BudgetPeriod
    time_zone: str


@dataclass(frozen=True, slots=True)
class EndingKey:
    """A live key that ends."""

    id: str
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Owner:
    """A user; `email` is empty until it is confirmed."""

    user_id: str
    email: str = field(repr=False)
    language: str
    time_zone: str
    budgets: tuple[OwnedBudget, ...]
    keys: tuple[EndingKey, ...]


class Standing(IntEnum):
    """How it stands with a credential that made something."""

    LIVE = pb.STANDING_LIVE
    DISABLED = pb.STANDING_DISABLED
    ENDED = pb.STANDING_ENDED


_STANDINGS: Final = frozenset(Standing)


@dataclass(frozen=True, slots=True)
class Maker:
    """A credential that made something, and the scopes that it has now."""

    subject: str
    standing: Standing
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What auth knows of some users: those that can be told of something, whose accounts are gone, whose are shut."""

    owners: Sequence[Owner]
    gone: Sequence[str] = ()
    shut: Sequence[str] = ()


class OwnerClient:
    """Asks auth, in nobody's name. `deadline_s` bounds each question."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = owners_pb2_grpc.OwnerServiceStub(channel)
        self._deadline_s = deadline_s

    async def get_owners(self, user_ids: Sequence[str]) -> Known:
        """Return what is known of these; nothing of whom auth leaves out.

        Raises:
            ServiceError: auth cannot be asked.
        """
        request = pb.GetOwnersRequest(user_ids=user_ids)
        answer = await rpc_client.unary(self._stub.GetOwners, request, deadline_s=self._deadline_s)
        owners = [_owner(message) for message in answer.owners]
        return Known(owners, list(answer.gone_user_ids), list(answer.shut_user_ids))

    async def get_makers(self, subjects: Sequence[str]) -> list[Maker]:
        """Return how it stands with these; nothing of those that auth does not know to judge.

        Raises:
            ServiceError: auth cannot be asked.
        """
        makers = list[Maker]()
        for at in range(0, len(subjects), MOST_MAKERS):
            request = pb.GetOwnersRequest(makers=subjects[at : at + MOST_MAKERS])
            answer = await rpc_client.unary(self._stub.GetOwners, request, deadline_s=self._deadline_s)
            makers += [
                Maker(each.subject, Standing(each.standing), tuple(each.scopes))
                for each in answer.makers
                if each.standing in _STANDINGS
            ]
        return makers


def _owner(message: pb.Owner) -> Owner:
    return Owner(
        message.user_id,
        message.email,
        message.language,
        message.time_zone,
        tuple([_budget(owned, message.time_zone) for owned in message.budgets if owned.budget.period in PERIODS]),
        tuple([EndingKey(key.id, key.name, moment(key, "expires_at")) for key in message.keys]),
    )


def _budget(message: pb.OwnedBudget, time_zone: str) -> OwnedBudget:
    budget = message.budget
    return OwnedBudget(
        budget.subject, message.name, budget.limit_micro_rub, PERIODS[budget.period], budget.time_zone or time_zone
    )
