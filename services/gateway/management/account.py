"""/v1/users/me, /v1/sessions, /v1/grants: what a credential may see and do of its user's account."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Request, Response

from services.gateway.clients.account_views import Profile, SessionView
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.oauth_views import GrantView
from services.gateway.edge.origin import origin_of
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management.bodies import (
    AccountDeletion,
    GrantList,
    ProfileBody,
    ProfileChange,
    RevokedBody,
    SessionList,
)
from services.gateway.management.keys import budget_body

Asked = Annotated[RequestContext, Depends(current_context)]

NEEDS: Final[Needs] = {
    "GET /v1/users/me": Scope.PROFILE_READ,
    "PATCH /v1/users/me": Scope.PROFILE_WRITE,
    "DELETE /v1/users/me": Scope.PROFILE_WRITE,
    "GET /v1/users/me/export": Scope.PROFILE_READ,
    "GET /v1/sessions": Scope.PROFILE_READ,
    "DELETE /v1/sessions/{session_id}": Scope.PROFILE_WRITE,
    "GET /v1/grants": Scope.PROFILE_READ,
    "DELETE /v1/grants/{grant_id}": Scope.PROFILE_WRITE,
}


def account_router(accounts: AccountClient, limit: OAuthLimit) -> APIRouter:
    """Return the routes of the account itself."""
    router = APIRouter(tags=["account"])

    @router.get("/v1/users/me", response_model=ProfileBody)
    async def get_me(context: Asked) -> dict[str, Any]:
        """Return the user of this credential."""
        return profile_body(await accounts.get_profile(context.known_caller.user_id, context.call))

    @router.patch("/v1/users/me", response_model=ProfileBody)
    async def change_me(context: Asked, request: Request, change: ProfileChange) -> dict[str, Any]:
        """Change what is given. A new e-mail takes the password and counts when it is confirmed."""
        user_id, origin = context.known_caller.user_id, origin_of(request.scope, limit.address(request.scope))
        given = change.model_dump(exclude_none=True)
        return profile_body(await accounts.update_profile(user_id, context.call, origin=origin, **given))

    @router.delete("/v1/users/me", status_code=204)
    async def delete_me(context: Asked, request: Request, proof: Annotated[AccountDeletion, Body()]) -> Response:
        """End the account with its keys, sessions and applications. Takes the password."""
        user_id, origin = context.known_caller.user_id, origin_of(request.scope, limit.address(request.scope))
        await accounts.delete_account(user_id, proof.password, origin, context.call)
        return Response(status_code=204)

    @router.get("/v1/users/me/export", response_model=dict[str, Any])
    async def export_me(context: Asked) -> Response:
        """Return everything that is known of the user."""
        body = await accounts.export_account(context.known_caller.user_id, context.call)
        return Response(body, media_type="application/json")

    return router


def access_router(accounts: AccountClient, grants: GrantClient) -> APIRouter:
    """Return the routes of who else may act for the user."""
    router = APIRouter(tags=["account"])

    @router.get("/v1/sessions", response_model=SessionList)
    async def list_sessions(context: Asked) -> dict[str, Any]:
        """List the login sessions."""
        sessions = await accounts.list_sessions(context.known_caller.user_id, "", context.call)
        return {"data": [session_body(session) for session in sessions]}

    @router.delete("/v1/sessions/{session_id}", response_model=RevokedBody)
    async def end_session(context: Asked, session_id: str) -> dict[str, Any]:
        """End a login session."""
        await accounts.revoke_session(context.known_caller.user_id, session_id, context.call)
        return {"id": session_id}

    @router.get("/v1/grants", response_model=GrantList)
    async def list_grants(context: Asked) -> dict[str, Any]:
        """List the applications that were let in, with their caps."""
        let_in = await grants.list_grants(context.known_caller.user_id, context.call)
        return {"data": [grant_body(grant) for grant in let_in]}

    @router.delete("/v1/grants/{grant_id}", response_model=RevokedBody)
    async def end_grant(context: Asked, grant_id: str) -> dict[str, Any]:
        """End an application's access with all its tokens."""
        await grants.revoke_grant(context.known_caller.user_id, grant_id, context.call)
        return {"id": grant_id}

    return router


def profile_body(profile: Profile) -> dict[str, Any]:
    """Return a user as the API shows them."""
    return {
        "id": profile.user_id,
        "email": profile.email,
        "email_verified": profile.email_verified,
        "name": profile.name,
        "language": profile.language,
        "time_zone": profile.time_zone,
        "tier": profile.tier,
        "totp_enabled": profile.totp_enabled,
        "has_password": profile.has_password,
        "created_at": profile.created_at,
    }


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
    }
