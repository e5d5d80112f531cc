"""/v1/budgets: what caps the caller, and how it stands; set, changed and removed by its owner."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from servicekit.errors import ErrorReason, NotFound, PermissionDenied
from services.gateway.budgets.bodies import BudgetChangeBody, BudgetList, BudgetOrderBody, BudgetOut, DoneBody
from services.gateway.budgets.standing import Standings
from services.gateway.budgets.views import change_of, order_of, standing_body
from services.gateway.clients.budgets.client import BudgetClient, CapView
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.step_up import StepUp

NEEDS: Final[Needs] = {
    "GET /v1/budgets": Scope.USAGE_READ,
    "POST /v1/budgets": Scope.KEYS_WRITE,
    "PATCH /v1/budgets/{budget_id}": Scope.KEYS_WRITE,
    "DELETE /v1/budgets/{budget_id}": Scope.KEYS_WRITE,
}


def budgets_router(budgets: BudgetClient, standings: Standings, step_up: StepUp) -> APIRouter:
    """Return the routes. An application changes something only soon after its person proved who they are."""
    router = APIRouter(tags=["budgets"])

    @router.get("/v1/budgets", response_model=BudgetList)
    async def list_budgets(context: Context) -> dict[str, Any]:
        """Return everything that caps the account and how it stands, also what came with keys and tier."""
        caps = await budgets.list_of(context.known_caller.user_id, context.call)
        return {"data": [standing_body(each) for each in await standings.of(caps)]}

    @router.post("/v1/budgets", response_model=BudgetOut, status_code=201)
    async def create_budget(
        context: Context, body: Annotated[BudgetOrderBody, Depends(json_of(BudgetOrderBody))]
    ) -> dict[str, Any]:
        """Set a budget or a quota of the account, a key or an application. It counts everywhere within five seconds."""
        step_up.check(context.known_caller)
        cap = await budgets.put(context.known_caller, order_of(body), context.call)
        return standing_body((await standings.of([cap]))[0])

    @router.patch("/v1/budgets/{budget_id}", response_model=BudgetOut)
    async def change_budget(
        context: Context, budget_id: str, body: Annotated[BudgetChangeBody, Depends(json_of(BudgetChangeBody))]
    ) -> dict[str, Any]:
        """Change limit or mode. What was spent stays spent."""
        caller = context.known_caller
        step_up.check(caller)
        change = change_of(budget_id, body)
        check_was_set(await budgets.list_of(caller.user_id, context.call), budget_id)
        changed = await budgets.put(caller, change, context.call)
        return standing_body((await standings.of([changed]))[0])

    @router.delete("/v1/budgets/{budget_id}", response_model=DoneBody)
    async def delete_budget(context: Context, budget_id: str) -> dict[str, Any]:
        """Remove a budget or a quota. It ceases to count everywhere within five seconds."""
        caller = context.known_caller
        step_up.check(caller)
        check_was_set(await budgets.list_of(caller.user_id, context.call), budget_id)
        await budgets.delete(caller, budget_id, context.call)
        return {"id": budget_id}

    return router


def check_was_set(caps: list[CapView], id: str) -> None:
    """Refuse to change what nobody has set.

    Raises:
        NotFound: there is none.
        PermissionDenied: it came with a key, an application's grant or the tier.
    """
    found = next((cap for cap in caps if cap.id == id), None)
    if found is None:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such budget.", param="budget_id")
    if found.source != "set":
        text = f"This budget came with the {found.source} and ends with it: set another one beside it."
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, text, param="budget_id")
