"""What auth tells of people who have notification channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import grpc
from razvilka.auth.v1 import owners_pb2 as pb
from razvilka.auth.v1 import owners_pb2_grpc

from servicekit import rpc_client
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.periods import PERIODS
from services.gateway.clients.timestamps import moment


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


class OwnerClient:
    """Asks auth, in nobody's name. `deadline_s` bounds each question."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = owners_pb2_grpc.OwnerServiceStub(channel)
        self._deadline_s = deadline_s

    async def get_owners(self, user_ids: Sequence[str]) -> tuple[list[Owner], list[str]]:
        """Return those that can be told of something, and the ids of those that are gone.

        Raises:
            ServiceError: auth cannot be asked.
        """
        request = pb.GetOwnersRequest(user_ids=user_ids)
        answer = await rpc_client.unary(self._stub.GetOwners, request, deadline_s=self._deadline_s)
        return [_owner(message) for message in answer.owners], list(answer.gone_user_ids)


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
