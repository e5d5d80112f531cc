"""What the forms of budgets say, as the API has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.values import count_in, micro_rub_in, roubles_in_field
from services.gateway.pages.own_api import ApiRefused

MEASURES: Final = ("cost", "requests", "tokens")
PERIODS: Final = ("minute", "day", "week", "month", "lifetime")
MODES: Final = ("hard", "soft", "shadow")
CHOICES: Final = {"measures": MEASURES, "periods": PERIODS, "modes": MODES}
FIELDS: Final = ("owner", "measure", "period", "models", "mode", "limit")
COST: Final = "cost"
# The field of the form for what the API takes by several names.
_AS_TYPED: Final = {"limit_rub": "limit", "limit_micro_rub": "limit", "owner_id": "owner"}


def blank() -> Draft:
    """Return the form for a new budget: a month of the account, in roubles."""
    return draft_of(owner="user:", measure=COST, period="month", mode="hard")


def draft_of_budget(budget: Mapping[str, Any]) -> Draft:
    """Return the form that says what a budget is now."""
    cost = budget["measure"] == COST
    limit = roubles_in_field(budget["limit_micro_rub"]) if cost else str(budget["limit"])
    return draft_of(limit=limit, mode=budget["mode"])


def new_budget(draft: Draft) -> dict[str, Any]:
    """Return the order of a new budget.

    Raises:
        FormRefused: a field says nothing that could be asked for.
    """
    owner, _, owner_id = draft.one("owner").partition(":")
    measure = draft.one("measure")
    return {
        "owner": owner,
        "owner_id": owner_id,
        "measure": measure,
        "period": draft.one("period"),
        "models": draft.one("models"),
        "mode": draft.one("mode"),
        **limit_of(draft, measure),
    }


def change_of(draft: Draft, measure: str) -> dict[str, Any]:
    """Return what is to be different of a budget.

    Raises:
        FormRefused: the limit is none.
    """
    return {"mode": draft.one("mode"), **limit_of(draft, measure)}


def limit_of(draft: Draft, measure: str) -> dict[str, int]:
    """Return the limit under the API's name for it.

    Raises:
        FormRefused: it is none.
    """
    text = draft.one("limit")
    limit = micro_rub_in(text, "limit") if measure == COST else count_in(text, "limit")
    if not limit:
        raise FormRefused("limit", "budgets.fault_limit")
    return {"limit_micro_rub" if measure == COST else "limit": limit}


def budget_fault(refused: ApiRefused | FormRefused, fields: Sequence[str] = FIELDS) -> Fault:
    """Return what is wrong with a form of these fields, at the one where it was typed.

    Raises:
        ApiRefused: what the form is about is not there.
    """
    if isinstance(refused, ApiRefused) and refused.param not in fields:
        typed = _AS_TYPED.get(refused.param, refused.param)
        refused = ApiRefused(refused.status, refused.code, refused.message, typed)
    return fault_of(refused, "budgets", fields)
