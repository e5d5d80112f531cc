"""The routes of /v1/admin/users and /v1/admin/audit."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from services.gateway.clients.administration.people import AuditQuestion, AuditRow, ListedUser, PeopleClient
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Proven, Scope
from services.gateway.management.people.bodies import AuditCheckBody, AuditPage, TierBody, TierSet, UserPage

Limit = Annotated[int, Query(ge=1, le=200)]
USERS: Final = "/v1/admin/users"
AUDIT: Final = "/v1/admin/audit"
NEEDS: Final[Needs] = {
    f"GET {USERS}": Scope.ADMIN,
    f"PATCH {USERS}/{{user_id:path}}": Proven(Scope.ADMIN),
    f"GET {AUDIT}": Scope.ADMIN,
    f"POST {AUDIT}/check": Scope.ADMIN,
}


def people_router(people: PeopleClient) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["administration"])

    @router.get(USERS, response_model=UserPage)
    async def list_users(
        context: Context,
        search: Annotated[str, Query(max_length=254, description="Part of an address, or a whole id.")] = "",
        cursor: Annotated[str, Query(max_length=128, description="`next_cursor` of the page before.")] = "",
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """List accounts, the newest first."""
        admin = context.known_caller.user_id
        users, more = await people.list_users(admin, search, cursor, limit, context.call)
        after = users[-1].id if more else None
        return {"data": [_user_body(user) for user in users], "has_more": more, "next_cursor": after}

    @router.patch(f"{USERS}/{{user_id:path}}", response_model=TierSet)
    async def set_tier(
        context: Context, user_id: str, body: Annotated[TierBody, Depends(json_of(TierBody))]
    ) -> dict[str, Any]:
        """Give an account a tier. Gateways know it within seconds; the audit log says who gave it."""
        await people.set_tier(context.known_caller.user_id, user_id, body.tier, context.call)
        return {"id": user_id, "tier": body.tier}

    @router.get(AUDIT, response_model=AuditPage)
    async def read_audit(
        context: Context,
        actor: Annotated[str, Query(max_length=256, description="`user:<id>` or `system`.")] = "",
        action: Annotated[str, Query(max_length=256, description="Such as `key.created`.")] = "",
        subject: Annotated[str, Query(max_length=256, description="`user:<id>`, `key:<id>` and so on.")] = "",
        before: Annotated[int, Query(ge=0, lt=2**63, description="`next_before` of the page before.")] = 0,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Read the audit log, the newest row first."""
        question = AuditQuestion(actor, action, subject, before)
        rows, more = await people.read_audit(context.known_caller.user_id, question, limit, context.call)
        return {
            "data": [_row_body(row) for row in rows],
            "has_more": more,
            "next_before": rows[-1].number if more else None,
        }

    @router.post(f"{AUDIT}/check", response_model=AuditCheckBody)
    async def check_audit(context: Context) -> dict[str, Any]:
        """Walk the chain of hashes over the whole audit log: a changed, removed or inserted row breaks it."""
        found = await people.check_audit(context.known_caller.user_id, context.call)
        return {
            "intact": found.broken_at is None,
            "checked": found.checked,
            "broken_at": found.broken_at,
            "complete": found.is_complete,
            "head_hash": found.head_hash.hex(),
        }

    return router


def _user_body(user: ListedUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified,
        "name": user.name,
        "tier": user.tier,
        "is_admin": user.is_admin,
        "disabled": user.is_disabled,
        "created_at": user.created_at,
        "live_keys": user.live_keys,
    }


def _row_body(row: AuditRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "details": row.details,
        "hash": row.hash.hex(),
    }
