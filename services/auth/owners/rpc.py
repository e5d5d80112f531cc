"""Owners on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import owners_pb2 as pb
from razvilka.auth.v1 import owners_pb2_grpc as pb_grpc

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest
from services.auth.owners.owner import EndingKey, OwnedBudget, Owner
from services.auth.owners.store import OwnerStore
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.rpc_values import PERIOD_TO_PROTO, Context, timestamp_to_proto

MOST_USERS: Final = 500


class OwnerServicer(pb_grpc.OwnerServiceServicer):
    """Tells what notifications need to know of users."""

    def __init__(self, store: OwnerStore, tiers: Mapping[Tier, TierLimits], *, clock: Clock) -> None:
        self._store = store
        self._tiers = tiers
        self._clock = clock

    async def GetOwners(self, request: pb.GetOwnersRequest, context: Context) -> pb.GetOwnersResponse:
        """Return owners."""
        ids = [id for id in request.user_ids if "\0" not in id]
        if len(request.user_ids) > MOST_USERS:
            text = f"Ask of {MOST_USERS} users at most."
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, text, param="user_ids")
        owners, there = await self._store.find(ids, self._clock.now())
        return pb.GetOwnersResponse(
            owners=[self._to_proto(owner) for owner in owners],
            gone_user_ids=[id for id in request.user_ids if id not in there],
        )

    def _to_proto(self, owner: Owner) -> pb.Owner:
        by_tier = [OwnedBudget(budget) for budget in self._tiers[owner.tier].ceiling_of(owner.user_id)]
        return pb.Owner(
            user_id=owner.user_id,
            email=owner.email,
            language=owner.language,
            time_zone=owner.time_zone,
            budgets=[_budget_to_proto(owned) for owned in (*by_tier, *owner.budgets)],
            keys=[_key_to_proto(key) for key in owner.keys],
        )


def _budget_to_proto(owned: OwnedBudget) -> pb.OwnedBudget:
    budget = auth_pb2.Budget(
        subject=owned.budget.subject,
        period=PERIOD_TO_PROTO[owned.budget.period],
        limit_micro_rub=owned.budget.limit_micro_rub,
        time_zone=owned.budget.time_zone,
    )
    return pb.OwnedBudget(budget=budget, name=owned.name)


def _key_to_proto(key: EndingKey) -> pb.EndingKey:
    return pb.EndingKey(id=key.id, name=key.name, expires_at=timestamp_to_proto(key.expires_at))
