"""Caps to bodies, and bodies to orders."""

from __future__ import annotations

from typing import Any, Final

from services.gateway.admission.caps import CapMode
from services.gateway.budgets.bodies import AmountBody, BudgetChangeBody, BudgetOrderBody
from services.gateway.budgets.standing import COST, Standing
from services.gateway.clients.budgets.client import CapOrder, OrganizationView
from services.gateway.edge.money import MICRO, MOST_MICRO_RUB, micro_rub_of, money
from services.gateway.edge.reading.json_body import invalid_field

# As auth has it -> as this API has it.
PERIOD_NAMES: Final = {"total": "lifetime"}
PERIODS: Final = {"lifetime": "total"}
OWNERS: Final = {"grant": "app"}
# Requests or tokens, whichever the cap is of.
UNITS: Final = "units"
AMOUNTS: Final = ("limit_rub", "limit_micro_rub", "limit")


def order_of(body: BudgetOrderBody) -> CapOrder:
    """Return the order of a new cap.

    Raises:
        InvalidRequest: the amount is missing, none, or in units of another measure.
    """
    amount = amount_of(body, body.measure)
    if not amount:
        field = "limit_rub" if body.measure == COST else "limit"
        raise invalid_field(field, "Say how much: `limit_rub` or `limit_micro_rub` for cost, `limit` for the rest")
    return CapOrder(
        owner=body.owner,
        owner_id=body.owner_id,
        measure=body.measure,
        period=PERIODS.get(body.period, body.period),
        models=body.models,
        amount=amount,
        mode=CapMode(body.mode),
    )


def change_of(id: str, body: BudgetChangeBody) -> CapOrder:
    """Return the order that changes a cap; auth refuses an amount in units of another measure.

    Raises:
        InvalidRequest: nothing is to be changed, or the amount is none.
    """
    measure = COST if body.limit is None else UNITS
    amount = amount_of(body, measure)
    if not amount and body.mode is None:
        raise invalid_field("limit_rub", "Give another limit, another mode, or both")
    mode = None if body.mode is None else CapMode(body.mode)
    return CapOrder(id=id, measure=measure if amount else "", amount=amount, mode=mode)


def amount_of(body: AmountBody, measure: str) -> int:
    """Return the amount in the units of a measure; 0: none is given.

    Raises:
        InvalidRequest: it is given twice, in other units, or is no amount.
    """
    given = [name for name in AMOUNTS if getattr(body, name) is not None]
    if len(given) > 1:
        raise invalid_field(given[1], f"Give `{given[0]}` or `{given[1]}`, not both")
    if not given:
        return 0
    if (given[0] == "limit") is (measure == COST):
        wanted = "`limit_rub` or `limit_micro_rub`" if measure == COST else "`limit`"
        raise invalid_field(given[0], f"The limit of {measure} is given as {wanted}")
    return _micro_rub(body.limit_rub) if body.limit_rub is not None else body.limit_micro_rub or body.limit or 0


def standing_body(standing: Standing) -> dict[str, Any]:
    """Return a cap and how it stands."""
    cap = standing.cap
    kind, _, owner_id = cap.subject.partition(":")
    is_cost = cap.measure == COST
    return {
        "id": cap.id,
        "source": cap.source,
        "owner": OWNERS.get(kind, kind),
        "owner_id": owner_id,
        "measure": cap.measure,
        "period": PERIOD_NAMES.get(cap.period, cap.period),
        "models": None if is_cost else cap.models,
        "mode": cap.mode.value,
        **_units(standing, is_told=not is_cost),
        **_money(standing, is_told=is_cost),
        "resets_at": standing.resets_at,
        "state": standing.state,
        "would_have_refused": standing.would_have_refused,
        "set_by_admin": cap.by_admin,
        "time_zone": cap.time_zone,
        "created_at": cap.created_at,
        "updated_at": cap.updated_at,
    }


def organization_body(organization: OrganizationView) -> dict[str, Any]:
    """Return an organization as administrators see it."""
    return {
        "id": organization.id,
        "name": organization.name,
        "time_zone": organization.time_zone,
        "created_at": organization.created_at,
        "members": list(organization.members),
    }


def _units(standing: Standing, *, is_told: bool) -> dict[str, int | None]:
    figures = {"limit": standing.cap.amount, "used": standing.used, "remaining": standing.remaining}
    return dict(figures) if is_told else dict.fromkeys(figures)


def _money(standing: Standing, *, is_told: bool) -> dict[str, int | str | None]:
    figures = {
        "limit": standing.cap.amount,
        "spent": standing.used or 0,
        "held": standing.held,
        "remaining": standing.remaining or 0,
    }
    told: dict[str, int | str | None] = {}
    for name, micro_rub in figures.items():
        told |= money(name, micro_rub)
    return told if is_told else dict.fromkeys(told)


def _micro_rub(text: str) -> int:
    amount = micro_rub_of(text)
    if not amount:
        problem = f"Give roubles above 0, {MOST_MICRO_RUB // MICRO} at most, as a decimal string, such as 1500.50"
        raise invalid_field("limit_rub", problem)
    return amount
