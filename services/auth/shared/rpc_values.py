"""Conversions between protobuf messages and values that several rooms share."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import grpc
from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1 import budgets_pb2, oauth_pb2

from servicekit.errors import ErrorReason, PermissionDenied, invalid_parameter
from servicekit.timestamps import timestamp_from_proto, timestamp_to_proto
from servicekit.trust.callers import name_of, names_of
from services.auth.shared.domain.budget import Budget, BudgetPeriod, CapMode, Quota
from services.auth.shared.domain.caller import Caller
from services.auth.shared.domain.delegation import Asker, Authority, Powers
from services.auth.shared.domain.tier import Limits, Tier

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

OPERATOR_NAME: Final = name_of("operator")
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
    BudgetPeriod.WEEK: pb.BUDGET_PERIOD_WEEK,
    BudgetPeriod.MONTH: pb.BUDGET_PERIOD_MONTH,
    BudgetPeriod.TOTAL: pb.BUDGET_PERIOD_TOTAL,
}
PERIOD_FROM_PROTO: Final[dict[int, BudgetPeriod | None]] = {
    pb.BUDGET_PERIOD_UNSPECIFIED: None,
    **{number: period for period, number in PERIOD_TO_PROTO.items()},
}
MODE_TO_PROTO: Final[dict[CapMode, pb.CapMode.ValueType]] = {
    CapMode.HARD: pb.CAP_MODE_HARD,
    CapMode.SOFT: pb.CAP_MODE_SOFT,
    CapMode.SHADOW: pb.CAP_MODE_SHADOW,
}
MODE_FROM_PROTO: Final[dict[int, CapMode]] = {
    pb.CAP_MODE_UNSPECIFIED: CapMode.HARD,
    **{number: mode for mode, number in MODE_TO_PROTO.items()},
}


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
        budgets=map(budget_to_proto, caller.budgets),
        quotas=map(quota_to_proto, caller.quotas),
        expires_at=timestamp_to_proto(caller.expires_at),
        grant_id=caller.grant_id,
        client_id=caller.client_id,
        time_zone=caller.time_zone,
        model_names=caller.model_names,
        cache_ttl_s=caller.cache_ttl_s,
        from_1_0=caller.from_1_0,
        lineage_id=caller.lineage_id,
    )


def budget_to_proto(budget: Budget) -> pb.Budget:
    """Return a cap on spending."""
    return pb.Budget(
        subject=budget.subject,
        period=PERIOD_TO_PROTO[budget.period],
        limit_micro_rub=budget.limit_micro_rub,
        mode=MODE_TO_PROTO[budget.mode],
        id=budget.id,
        time_zone=budget.time_zone,
    )


def quota_to_proto(quota: Quota) -> pb.Quota:
    """Return a cap on requests or tokens."""
    return pb.Quota(
        id=quota.id,
        subject=quota.subject,
        models=quota.models,
        measure=quota.measure,
        limit=quota.limit,
        mode=MODE_TO_PROTO[quota.mode],
    )


def limits_to_proto(limits: Limits) -> pb.Limits:
    """Return the limits of one dimension."""
    return pb.Limits(
        requests_per_minute=limits.requests_per_minute,
        requests_per_day=limits.requests_per_day,
        tokens_per_minute=limits.tokens_per_minute,
        tokens_per_day=limits.tokens_per_day,
        concurrent_requests=limits.concurrent_requests,
    )


def tier_from_proto(number: int) -> Tier:
    """Return the tier; unspecified is free."""
    if number not in TIER_FROM_PROTO:
        raise invalid_parameter("tier", "There is no such tier.")
    return TIER_FROM_PROTO[number]


def period_from_proto(number: int) -> BudgetPeriod | None:
    """Return the budget's period, if one is given."""
    if number not in PERIOD_FROM_PROTO:
        raise invalid_parameter("budget_period", "There is no such period.")
    return PERIOD_FROM_PROTO[number]


MakingRequest: TypeAlias = (
    "pb.CreateApiKeyRequest | pb.ChangeApiKeyRequest | pb.RotateApiKeyRequest | oauth_pb2.CreateClientRequest"
    " | oauth_pb2.ChangeClientRequest | oauth_pb2.RotateClientSecretRequest"
)
AskingRequest: TypeAlias = "MakingRequest | budgets_pb2.PutBudgetRequest | budgets_pb2.DeleteBudgetRequest"


def authority_of(request: AskingRequest) -> Authority | None:
    """Return what the credential that makes the request may do itself; None: nobody's credential makes it."""
    if not request.HasField("maker"):
        return None
    maker = request.maker
    powers = Powers(
        scopes=frozenset(maker.scopes),
        models=tuple(maker.models),
        ip_allow_list=tuple(maker.ip_allow_list),
        expires_at=timestamp_from_proto(maker.expires_at, "maker") if maker.HasField("expires_at") else None,
    )
    return Authority(powers, tuple(_budget_from_proto(budget) for budget in maker.budgets), maker.subject)


def asker_of(request: MakingRequest, peer: Context) -> Asker:
    """Return who asks for something to be made.

    Raises:
        PermissionDenied: it says that an operator asks, and its certificate is another's. Without TLS, which only a
            local suite may do without, there is none to look at.
    """
    names = names_of(peer)
    if request.by_operator and names and OPERATOR_NAME not in names:
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, "Only an operator may ask for that.")
    return Asker(authority_of(request), request.session_id, request.by_operator)


def _budget_from_proto(budget: pb.Budget) -> Budget:
    period = period_from_proto(budget.period)
    if period is None:
        raise invalid_parameter("maker", "A budget needs a period.")
    return Budget(budget.subject, period, budget.limit_micro_rub)
