"""Composition root of budgets and organizations."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from services.auth.budgets.management import Budgets
from services.auth.budgets.membership import Organizations
from services.auth.budgets.rpc import BudgetServicer
from services.auth.budgets.store.caps import BudgetStore
from services.auth.budgets.store.organizations import OrganizationStore
from services.auth.shared.administrators import Administrators
from services.auth.shared.dependencies import Dependencies
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import AccountStore


def assemble_budgets(limits: Mapping[Tier, TierLimits], given: Dependencies, in_person: InPerson) -> BudgetServicer:
    """Return what serves them."""
    accounts = AccountStore(given.pool)
    administrators = Administrators(accounts)
    budgets = Budgets(
        BudgetStore(given.pool),
        accounts,
        administrators,
        given.units,
        in_person,
        limits,
        clock=given.clock,
        new_id=uuid.uuid4,
    )
    organizations = Organizations(OrganizationStore(given.pool), administrators, given.units, new_id=uuid.uuid4)
    return BudgetServicer(budgets, organizations)
