"""Budget periods, modes of caps and tiers at the border."""

from __future__ import annotations

from typing import Final

from razvilka.auth.v1 import auth_pb2 as pb

from services.gateway.admission.caps import CapMode
from services.gateway.admission.dimensions import LIMITED
from services.gateway.admission.periods import BudgetPeriod

TIERS: Final = {pb.TIER_FREE: "free", pb.TIER_PRO: "pro", pb.TIER_ENTERPRISE: "enterprise"}
PERIODS: Final = {
    pb.BUDGET_PERIOD_DAY: BudgetPeriod.DAY,
    pb.BUDGET_PERIOD_WEEK: BudgetPeriod.WEEK,
    pb.BUDGET_PERIOD_MONTH: BudgetPeriod.MONTH,
    pb.BUDGET_PERIOD_TOTAL: BudgetPeriod.TOTAL,
}
MODES: Final = {
    pb.CAP_MODE_UNSPECIFIED: CapMode.HARD,
    pb.CAP_MODE_HARD: CapMode.HARD,
    pb.CAP_MODE_SOFT: CapMode.SOFT,
    pb.CAP_MODE_SHADOW: CapMode.SHADOW,
}
DIMENSION_OF: Final = {row.setting: row.name for row in LIMITED}
_NUMBERS: Final = {period: number for number, period in PERIODS.items()}


def period_to_proto(period: BudgetPeriod | None) -> pb.BudgetPeriod.ValueType:
    """Return the number of a period; unspecified for none."""
    return pb.BUDGET_PERIOD_UNSPECIFIED if period is None else _NUMBERS[period]
