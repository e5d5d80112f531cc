"""The auth service, as the gateway needs it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

import grpc
from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1 import auth_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.admission.request import Budget, BudgetPeriod, Limits
from services.gateway.caller import Caller
from services.gateway.clients.moments import moment

_TIERS: Final = {pb.TIER_FREE: "free", pb.TIER_PRO: "pro", pb.TIER_ENTERPRISE: "enterprise"}
_PERIODS: Final = {
    pb.BUDGET_PERIOD_DAY: BudgetPeriod.DAY,
    pb.BUDGET_PERIOD_MONTH: BudgetPeriod.MONTH,
    pb.BUDGET_PERIOD_TOTAL: BudgetPeriod.TOTAL,
}


class AuthClient:
    """Asks who holds a key."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._channel = channel
        self._stub = auth_pb2_grpc.AuthServiceStub(channel)
        self._deadline_s = deadline_s

    async def verify_api_key(self, secret: str, call: CallContext) -> Caller:
        """Return who holds the key.

        Raises:
            Unauthenticated: unknown, revoked or expired.
            Unavailable: the service cannot be asked.
        """
        answer = await rpc_client.unary(
            self._stub.VerifyApiKey, pb.VerifyApiKeyRequest(secret=secret), deadline_s=self._deadline_s, call=call
        )
        return caller_from_proto(answer.caller)

    async def is_serving(self) -> bool:
        """Tell whether the service is ready."""
        return await rpc_client.is_serving(self._channel)


def caller_from_proto(message: pb.Caller) -> Caller:
    """Convert at the border."""
    return Caller(
        user_id=message.user_id,
        key_id=message.key_id,
        key_name=message.key_name,
        tier=_TIERS.get(message.tier, "free"),
        scopes=frozenset(message.scopes),
        models=frozenset(message.models),
        networks=tuple(ip_network(block, strict=False) for block in message.ip_allow_list),
        user_limits=_limits(message.user_limits),
        key_limits=_limits(message.key_limits),
        model_limits=_limits(message.model_limits),
        budgets=tuple(
            Budget(budget.subject, _PERIODS[budget.period], budget.limit_micro_rub) for budget in message.budgets
        ),
        expires_at=moment(message, "expires_at"),
        grant_id=message.grant_id,
        client_id=message.client_id,
    )


def _limits(message: pb.Limits) -> Limits:
    return Limits(
        message.requests_per_minute, message.requests_per_day, message.tokens_per_minute, message.concurrent_requests
    )
