"""/v1/sessions, /v1/grants: who else may act for the user of a credential."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter

from services.gateway.clients.account_views import SessionView
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.oauth_views import GrantView
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.management.bodies import (
    GrantList,
    RevokedBody,
    SessionList,
)
from services.gateway.management.credentials.keys import budget_body

NEEDS: Final[Needs] = {
    "GET /v1/sessions": Scope.PROFILE_READ,
    "DELETE /v1/sessions/{session_id}": Scope.PROFILE_WRITE,
    "GET /v1/grants": Scope.PROFILE_READ,
    "DELETE /v1/grants/{grant_id}": Scope.PROFILE_WRITE,
}


def sessions_router(accounts: AccountClient) -> APIRouter:
    """Return the routes of the login sessions."""
    router = APIRouter(tags=["account"])

    @router.get("/v1/sessions", response_model=SessionList)
    async def list_sessions(context: Context) -> dict[str, Any]:
        """List the login sessions."""
        sessions = await accounts.list_sessions(context.known_caller.user_id, "", context.call)
        return {"data": [session_body(session) for session in sessions]}

    @router.delete("/v1/sessions/{session_id}", response_model=RevokedBody)
    async def end_session(context: Context, session_id: str) -> dict[str, Any]:
        """End a login session."""
        await accounts.revoke_session(context.known_caller.user_id, session_id, context.call)
        return {"id": session_id}

    return router


def grants_router(grants: GrantClient) -> APIRouter:
    """Return the routes of the applications that were let in."""
    router = APIRouter(tags=["account"])

    @router.get("/v1/grants", response_model=GrantList)
    async def list_grants(context: Context) -> dict[str, Any]:
        """List the applications that were let in, with their caps."""
        let_in = await grants.list_grants(context.known_caller.user_id, context.call)
        return {"data": [grant_body(grant) for grant in let_in]}

    @router.delete("/v1/grants/{grant_id}", response_model=RevokedBody)
    async def end_grant(context: Context, grant_id: str) -> dict[str, Any]:
        """End an application's access with all its tokens."""
        await grants.revoke_grant(context.known_caller.user_id, grant_id, context.call)
        return {"id": grant_id}

    return router


def session_body(session: SessionView) -> dict[str, Any]:
    """Return a session as the API shows it."""
    return {
        "id": session.id,
        "ip": session.ip,
        "user_agent": session.user_agent,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
    }


def grant_body(grant: GrantView) -> dict[str, Any]:
    """Return a grant as the API shows it."""
    return {
        "id": grant.grant_id,
        "client_id": grant.application.client_id,
        "client_name": grant.application.name,
        "scopes": list(grant.scopes),
        "models": list(grant.models),
        "budget": budget_body(grant.budget_micro_rub, grant.budget_period),
        "created_at": grant.created_at,
        "last_used_at": grant.last_used_at,
        "disabled": grant.disabled,
    }
