"""/v1/users/me: what a credential may see and do of its user's account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.responses import StreamingResponse

from services.gateway.clients.account_views import Profile
from services.gateway.clients.accounts import AccountClient
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management.bodies import (
    AccountDeletion,
    ProfileBody,
    ProfileChange,
)
from services.gateway.management.personal_data_bodies import PersonalDataBody
from services.gateway.management.personal_export import PersonalExport

# Pushes what auth knows of a user to the usage service; never raises.
SyncUser = Callable[[str], Awaitable[None]]
MEDIA_TYPE: Final = "application/json"

NEEDS: Final[Needs] = {
    "GET /v1/users/me": Scope.PROFILE_READ,
    "PATCH /v1/users/me": Scope.PROFILE_WRITE,
    "DELETE /v1/users/me": Scope.PROFILE_WRITE,
    "GET /v1/users/me/export": Scope.PROFILE_READ,
}


def profile_router(accounts: AccountClient, limit: OAuthLimit) -> APIRouter:
    """Return the routes of what a user says of themselves."""
    router = APIRouter(tags=["account"])

    @router.get("/v1/users/me", response_model=ProfileBody)
    async def get_me(context: Context) -> dict[str, Any]:
        """Return the user of this credential."""
        return profile_body(await accounts.get_profile(context.known_caller.user_id, context.call))

    @router.patch("/v1/users/me", response_model=ProfileBody)
    async def change_me(
        context: Context, change: Annotated[ProfileChange, Depends(json_of(ProfileChange))]
    ) -> dict[str, Any]:
        """Change what is given. A new e-mail takes the password or a code and counts when it is confirmed."""
        user_id, origin = context.known_caller.user_id, limit.origin(context.scope)
        given = change.model_dump(exclude_none=True)
        return profile_body(await accounts.update_profile(user_id, context.call, origin=origin, **given))

    return router


def account_router(
    accounts: AccountClient, export: PersonalExport, sync_user: SyncUser, limit: OAuthLimit
) -> APIRouter:
    """Return the routes of the account as a whole; `sync_user` has usage forget a deleted one."""
    router = APIRouter(tags=["account"])

    @router.delete("/v1/users/me", status_code=204)
    async def delete_me(
        context: Context, proof: Annotated[AccountDeletion, Depends(json_of(AccountDeletion))]
    ) -> Response:
        """End the account with its keys, sessions and applications. Takes the password or a code."""
        user_id, origin = context.known_caller.user_id, limit.origin(context.scope)
        await accounts.delete_account(user_id, proof.password, origin, context.call, totp_code=proof.totp_code)
        await sync_user(user_id)
        return Response(status_code=204)

    @router.get("/v1/users/me/export", response_model=PersonalDataBody)
    async def export_me(context: Context) -> Response:
        """Return everything that is known of the user, but their requests, which /v1/usage/export has.

        Contents of files, batches and reports have downloads of their own. Each part is whole, or there is no answer.
        """
        document = await export.begin(context.known_caller.user_id, context.call)
        if document.rest is None:
            return Response(document.beginning, media_type=MEDIA_TYPE)
        return StreamingResponse(document.pieces(), media_type=MEDIA_TYPE)

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
