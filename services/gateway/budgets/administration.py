"""/v1/admin/budgets and /v1/admin/organizations: what administrators set for others. Auth looks who is one."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from servicekit.errors import invalid_parameter
from services.gateway.budgets.bodies import (
    AnyBudgetOrderBody,
    BudgetChangeBody,
    BudgetList,
    BudgetOut,
    DoneBody,
    OrganizationList,
    OrganizationOrderBody,
    OrganizationOut,
)
from services.gateway.budgets.standing import Standings
from services.gateway.budgets.views import change_of, order_of, organization_body, standing_body
from services.gateway.clients.budgets.client import BudgetClient
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Proven, Scope

Id = Annotated[str, Query(max_length=128)]

NEEDS: Final[Needs] = {
    "GET /v1/admin/budgets": Scope.ADMIN,
    "POST /v1/admin/budgets": Proven(Scope.ADMIN),
    "PATCH /v1/admin/budgets/{budget_id}": Proven(Scope.ADMIN),
    "DELETE /v1/admin/budgets/{budget_id}": Proven(Scope.ADMIN),
    "/v1/admin/organizations": Scope.ADMIN,
    "DELETE /v1/admin/organizations/{organization_id}": Proven(Scope.ADMIN),
    "PUT /v1/admin/organizations/{organization_id}/members/{user_id:path}": Proven(Scope.ADMIN),
    "DELETE /v1/admin/organizations/{organization_id}/members/{user_id:path}": Proven(Scope.ADMIN),
}


def admin_budgets_router(budgets: BudgetClient, standings: Standings) -> APIRouter:
    """Return the routes of budgets that an administrator sets; their owners cannot change them."""
    router = APIRouter(tags=["administration"])

    @router.get("/v1/admin/budgets", response_model=BudgetList)
    async def list_any_budgets(context: Context, user_id: Id = "", organization_id: Id = "") -> dict[str, Any]:
        """Return what caps a user, or the budgets of an organization, and how they stand."""
        if bool(user_id) is bool(organization_id):
            text = "Give `user_id` or `organization_id`."
            raise invalid_parameter("user_id", text)
        admin = context.known_caller.user_id
        caps = await budgets.list_as_admin(admin, context.call, user_id=user_id, organization_id=organization_id)
        return {"data": [standing_body(each) for each in await standings.of(caps)]}

    @router.post("/v1/admin/budgets", response_model=BudgetOut, status_code=201)
    async def create_any_budget(
        context: Context, body: Annotated[AnyBudgetOrderBody, Depends(json_of(AnyBudgetOrderBody))]
    ) -> dict[str, Any]:
        """Set a budget or a quota of any user, key, application or organization."""
        cap = await budgets.put_as_admin(context.known_caller.user_id, order_of(body), context.call)
        return standing_body((await standings.of([cap]))[0])

    @router.patch("/v1/admin/budgets/{budget_id}", response_model=BudgetOut)
    async def change_any_budget(
        context: Context, budget_id: str, body: Annotated[BudgetChangeBody, Depends(json_of(BudgetChangeBody))]
    ) -> dict[str, Any]:
        """Change limit or mode."""
        admin = context.known_caller.user_id
        cap = await budgets.put_as_admin(admin, change_of(budget_id, body), context.call)
        return standing_body((await standings.of([cap]))[0])

    @router.delete("/v1/admin/budgets/{budget_id}", response_model=DoneBody)
    async def delete_any_budget(context: Context, budget_id: str) -> dict[str, Any]:
        """Remove a budget or a quota, whoever set it."""
        await budgets.delete_as_admin(context.known_caller.user_id, budget_id, context.call)
        return {"id": budget_id}

    return router


def organizations_router(budgets: BudgetClient) -> APIRouter:
    """Return the routes of organizations, whose budgets cap their members together."""
    router = APIRouter(tags=["administration"])

    @router.get("/v1/admin/organizations", response_model=OrganizationList)
    async def list_organizations(
        context: Context,
        search: Annotated[str, Query(max_length=200, description="Part of a name, or a whole id.")] = "",
        cursor: Annotated[str, Query(max_length=128, description="`next_cursor` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """Return the organizations with their members, oldest first."""
        admin = context.known_caller.user_id
        found, more = await budgets.organizations(admin, search, cursor, limit, context.call)
        after = found[-1].id if more else None
        return {"data": [organization_body(each) for each in found], "has_more": more, "next_cursor": after}

    @router.post("/v1/admin/organizations", response_model=OrganizationOut, status_code=201)
    async def create_organization(
        context: Context, body: Annotated[OrganizationOrderBody, Depends(json_of(OrganizationOrderBody))]
    ) -> dict[str, Any]:
        """Make an organization without members."""
        admin = context.known_caller.user_id
        return organization_body(await budgets.create_organization(admin, body.name, body.time_zone, context.call))

    @router.delete("/v1/admin/organizations/{organization_id}", response_model=DoneBody)
    async def delete_organization(context: Context, organization_id: str) -> dict[str, Any]:
        """End an organization: its budgets go, its members belong to none."""
        await budgets.delete_organization(context.known_caller.user_id, organization_id, context.call)
        return {"id": organization_id}

    async def set_member(context: RequestContext, ids: tuple[str, str], *, is_member: bool) -> dict[str, Any]:
        organization_id, user_id = ids
        admin = context.known_caller.user_id
        await budgets.set_member(admin, organization_id, user_id, context.call, is_member=is_member)
        return {"id": user_id}

    @router.put("/v1/admin/organizations/{organization_id}/members/{user_id:path}", response_model=DoneBody)
    async def add_member(context: Context, organization_id: str, user_id: str) -> dict[str, Any]:
        """Let a user belong to it: its budgets cap them within five seconds."""
        return await set_member(context, (organization_id, user_id), is_member=True)

    @router.delete("/v1/admin/organizations/{organization_id}/members/{user_id:path}", response_model=DoneBody)
    async def remove_member(context: Context, organization_id: str, user_id: str) -> dict[str, Any]:
        """Let a user belong to it no more; what they spent as a member goes on counting."""
        return await set_member(context, (organization_id, user_id), is_member=False)

    return router
