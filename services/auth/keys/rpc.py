"""protobuf <-> domain, both ways. Nothing is decided here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1 import auth_pb2_grpc as pb_grpc

from servicekit.errors import ErrorReason, InvalidRequest
from services.auth.accounts.users import Users
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_order import KeyOrder
from services.auth.keys.management import ApiKeys
from services.auth.keys.verification import KeyVerifier
from services.auth.shared.domain.budget import BudgetPeriod, key_budget
from services.auth.shared.domain.caller import Caller
from services.auth.shared.domain.scope import parse_scopes
from services.auth.shared.domain.tier import Limits, Tier

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

TIER_TO_PROTO: Final[dict[Tier, pb.Tier.ValueType]] = {
    Tier.FREE: pb.TIER_FREE,
    Tier.PRO: pb.TIER_PRO,
    Tier.ENTERPRISE: pb.TIER_ENTERPRISE,
}
TIER_FROM_PROTO: Final[dict[int, Tier]] = {
    pb.TIER_UNSPECIFIED: Tier.FREE,
    **{number: tier for tier, number in TIER_TO_PROTO.items()},
}
PERIOD_TO_PROTO: Final[dict[BudgetPeriod, pb.BudgetPeriod.ValueType]] = {
    BudgetPeriod.DAY: pb.BUDGET_PERIOD_DAY,
    BudgetPeriod.MONTH: pb.BUDGET_PERIOD_MONTH,
    BudgetPeriod.TOTAL: pb.BUDGET_PERIOD_TOTAL,
}
PERIOD_FROM_PROTO: Final[dict[int, BudgetPeriod | None]] = {
    pb.BUDGET_PERIOD_UNSPECIFIED: None,
    **{number: period for period, number in PERIOD_TO_PROTO.items()},
}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What a datetime can hold; a Timestamp can hold more.
FIRST_S: Final = -62_135_596_800
LAST_S: Final = 253_402_300_799


class AuthServicer(pb_grpc.AuthServiceServicer):
    """Users and API keys on the wire."""

    def __init__(self, users: Users, keys: ApiKeys, verifier: KeyVerifier) -> None:
        self._users = users
        self._keys = keys
        self._verifier = verifier

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        """Register an account."""
        user = await self._users.create(request.email, tier_from_proto(request.tier))
        return pb.CreateUserResponse(
            user=pb.User(
                id=user.id, email=user.email, tier=TIER_TO_PROTO[user.tier], created_at=moment_to_proto(user.created_at)
            )
        )

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        """Issue a key and show it once."""
        issued = await self._keys.create(order_from_proto(request))
        return pb.CreateApiKeyResponse(key=key_to_proto(issued.key), secret=issued.secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        """List a user's keys, newest first."""
        page = await self._keys.list_page(request.user_id, size=request.page_size, page_token=request.page_token)
        return pb.ListApiKeysResponse(
            keys=[key_to_proto(key) for key in page.keys], next_page_token=page.next_page_token
        )

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, context: Context) -> pb.RotateApiKeyResponse:
        """Issue a key in place of another, which goes on for a while."""
        issued = await self._keys.rotate(request.user_id, request.key_id, request.overlap_s)
        return pb.RotateApiKeyResponse(key=key_to_proto(issued.key), secret=issued.secret)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Context) -> pb.RevokeApiKeyResponse:
        """End a key on every gateway."""
        revoked_at = await self._keys.revoke(request.user_id, request.key_id)
        return pb.RevokeApiKeyResponse(revoked_at=moment_to_proto(revoked_at))

    async def VerifyApiKey(self, request: pb.VerifyApiKeyRequest, context: Context) -> pb.VerifyApiKeyResponse:
        """Answer who holds a key."""
        return pb.VerifyApiKeyResponse(caller=caller_to_proto(await self._verifier.verify(request.secret)))


def order_from_proto(request: pb.CreateApiKeyRequest) -> KeyOrder:
    """Return what is asked for."""
    return KeyOrder(
        user_id=request.user_id,
        name=request.name,
        scopes=parse_scopes(request.scopes),
        models=tuple(request.models),
        ip_allow_list=tuple(request.ip_allow_list),
        budget=key_budget(request.budget_micro_rub, period_from_proto(request.budget_period)),
        expires_at=moment_from_proto(request.expires_at, "expires_at") if request.HasField("expires_at") else None,
    )


def key_to_proto(key: ApiKey) -> pb.ApiKey:
    """Return the key as lists show it."""
    return pb.ApiKey(
        id=key.id,
        user_id=key.user_id,
        name=key.name,
        prefix=key.prefix,
        last_four=key.last_four,
        scopes=sorted(key.scopes),
        models=key.models,
        ip_allow_list=key.ip_allow_list,
        created_at=moment_to_proto(key.created_at),
        expires_at=moment_to_proto(key.expires_at),
        last_used_at=moment_to_proto(key.last_used_at),
        revoked_at=moment_to_proto(key.revoked_at),
        budget_micro_rub=key.budget.limit_micro_rub if key.budget else 0,
        budget_period=PERIOD_TO_PROTO[key.budget.period] if key.budget else pb.BUDGET_PERIOD_UNSPECIFIED,
    )


def caller_to_proto(caller: Caller) -> pb.Caller:
    """Return who calls and what they may do."""
    return pb.Caller(
        user_id=caller.user_id,
        key_id=caller.key_id,
        key_name=caller.key_name,
        tier=TIER_TO_PROTO[caller.tier],
        scopes=sorted(caller.scopes),
        models=caller.models,
        ip_allow_list=caller.ip_allow_list,
        user_limits=limits_to_proto(caller.limits.user),
        key_limits=limits_to_proto(caller.limits.key),
        model_limits=limits_to_proto(caller.limits.model),
        budgets=[
            pb.Budget(
                subject=budget.subject,
                period=PERIOD_TO_PROTO[budget.period],
                limit_micro_rub=budget.limit_micro_rub,
            )
            for budget in caller.budgets
        ],
        expires_at=moment_to_proto(caller.expires_at),
        grant_id=caller.grant_id,
        client_id=caller.client_id,
    )


def limits_to_proto(limits: Limits) -> pb.Limits:
    """Return the limits of one dimension."""
    return pb.Limits(
        requests_per_minute=limits.requests_per_minute,
        requests_per_day=limits.requests_per_day,
        tokens_per_minute=limits.tokens_per_minute,
        concurrent_requests=limits.concurrent_requests,
    )


def tier_from_proto(number: int) -> Tier:
    """Return the tier; unspecified is free."""
    if number not in TIER_FROM_PROTO:
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "There is no such tier.", param="tier")
    return TIER_FROM_PROTO[number]


def period_from_proto(number: int) -> BudgetPeriod | None:
    """Return the budget's period, if one is given."""
    if number not in PERIOD_FROM_PROTO:
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "There is no such period.", param="budget_period")
    return PERIOD_FROM_PROTO[number]


def moment_to_proto(moment: datetime | None) -> Timestamp | None:
    """Return the time, exact to the microsecond."""
    if moment is None:
        return None
    since = moment - EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def moment_from_proto(stamp: Timestamp, param: str) -> datetime:
    """Return the time, cut to the microsecond."""
    if not FIRST_S <= stamp.seconds <= LAST_S or not 0 <= stamp.nanos <= 999_999_999:
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "This is not a time.", param=param)
    return EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1_000)
