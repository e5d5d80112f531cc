"""gRPC servicer of owners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import owners_pb2 as pb
from razvilka.auth.v1 import owners_pb2_grpc as pb_grpc

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from servicekit.timestamps import timestamp_to_proto
from services.auth.owners.maker import Maker, Standing
from services.auth.owners.maker_store import MakerStore
from services.auth.owners.owner import EndingKey, OwnedBudget, Owner
from services.auth.owners.store import OwnerStore
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.rpc_values import PERIOD_TO_PROTO, Context

MOST_ASKED: Final = 500
STANDING_TO_PROTO: Final = {
    Standing.LIVE: pb.STANDING_LIVE,
    Standing.DISABLED: pb.STANDING_DISABLED,
    Standing.ENDED: pb.STANDING_ENDED,
}


class OwnerServicer(pb_grpc.OwnerServiceServicer):
    """Tells the gateway what notifications need to know of users and of makers."""

    def __init__(
        self, store: OwnerStore, makers: MakerStore, tiers: Mapping[Tier, TierLimits], *, clock: Clock
    ) -> None:
        self._store = store
        self._makers = makers
        self._tiers = tiers
        self._clock = clock

    async def GetOwners(self, request: pb.GetOwnersRequest, context: Context) -> pb.GetOwnersResponse:
        """Return owners, and how it stands with makers."""
        for param, asked in (("user_ids", request.user_ids), ("makers", request.makers)):
            if len(asked) > MOST_ASKED:
                text = f"Ask of {MOST_ASKED} at most."
                raise invalid_parameter(param, text)
        ids = [id for id in request.user_ids if "\0" not in id]
        owners, shut = await self._store.find(ids, self._clock.now())
        makers = await self._makers.find([each for each in request.makers if "\0" not in each], self._clock.now())
        there = {owner.user_id for owner in owners}.union(shut)
        return pb.GetOwnersResponse(
            owners=[self._to_proto(owner) for owner in owners],
            gone_user_ids=[id for id in request.user_ids if id not in there],
            makers=[_maker_to_proto(maker) for maker in makers],
            shut_user_ids=shut,
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


def _maker_to_proto(maker: Maker) -> pb.Maker:
    return pb.Maker(subject=maker.subject, standing=STANDING_TO_PROTO[maker.standing], scopes=sorted(maker.scopes))


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
