"""A user's applications: those let in and those registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from razvilka.auth.v1 import oauth_pb2 as pb
from razvilka.auth.v1 import oauth_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.auth import authority_to_proto, session_of
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import Application, GrantView, NewApplication
from services.gateway.clients.periods import PERIODS
from services.gateway.clients.timestamps import moment


class GrantClient:
    """Manages grants and applications for their owners. `deadline_s` bounds each call."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = oauth_pb2_grpc.OAuthServiceStub(channel)
        self._deadline_s = deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext) -> Any:
        return await rpc_client.unary(method, request, deadline_s=self._deadline_s, call=call, in_their_name=True)

    async def list_grants(self, user_id: str, call: CallContext) -> list[GrantView]:
        """Return the applications a user let in."""
        answer = await self._ask(self._stub.ListGrants, pb.ListGrantsRequest(user_id=user_id), call)
        return [_grant(grant) for grant in answer.grants]

    async def revoke_grant(self, user_id: str, grant_id: str, call: CallContext) -> None:
        """End a grant with all its tokens.

        Raises:
            NotFound: absent, or someone else's.
        """
        await self._ask(self._stub.RevokeGrant, pb.RevokeGrantRequest(user_id=user_id, grant_id=grant_id), call)

    async def create_client(
        self, owner: str, order: NewApplication, call: CallContext, *, maker: Caller
    ) -> tuple[Application, str]:
        """Register a user's application; return it with its secret ("" for a public one).

        Raises:
            PermissionDenied: its owner or the credential that asks may not have such an application.
            InvalidRequest: a field is wrong; it is named.
        """
        request = pb.CreateClientRequest(
            owner_user_id=owner,
            name=order.name,
            confidential=order.confidential,
            redirect_uris=order.redirect_uris,
            scopes=order.scopes,
            grant_types=order.grant_types,
            dpop_bound_access_tokens=order.dpop_bound,
            require_pushed_authorization_requests=order.requires_pushed,
            maker=authority_to_proto(maker),
            session_id=session_of(call),
        )
        answer = await self._ask(self._stub.CreateClient, request, call)
        return application_from_proto(answer.client), str(answer.client_secret)

    async def change_client(
        self, owner: str, client_id: str, given: Mapping[str, Any], call: CallContext, *, maker: Caller
    ) -> Application:
        """Change what is given of an application: name, redirect_uris, scopes, dpop_bound, requires_pushed.

        Raises:
            PermissionDenied: the maker asks for more than the application has.
            InvalidRequest: a field is wrong; it is named.
            NotFound: absent, or someone else's.
        """
        request = pb.ChangeClientRequest(
            owner_user_id=owner,
            client_id=client_id,
            changed=list(given),
            **given,
            maker=authority_to_proto(maker),
            session_id=session_of(call),
        )
        return application_from_proto((await self._ask(self._stub.ChangeClient, request, call)).client)

    async def rotate_secret(
        self, owner: str, client_id: str, overlap_s: int, call: CallContext, *, maker: Caller
    ) -> tuple[Application, str]:
        """Give an application a fresh secret; the one before works for `overlap_s` seconds more.

        Raises:
            PermissionDenied: the maker could not make such an application.
            InvalidRequest: it is a public one.
            NotFound: absent, or someone else's.
        """
        request = pb.RotateClientSecretRequest(
            owner_user_id=owner,
            client_id=client_id,
            overlap_s=overlap_s,
            maker=authority_to_proto(maker),
            session_id=session_of(call),
        )
        answer = await self._ask(self._stub.RotateClientSecret, request, call)
        return application_from_proto(answer.client), str(answer.client_secret)

    async def list_clients(self, owner: str, call: CallContext) -> list[Application]:
        """Return a user's applications."""
        answer = await self._ask(self._stub.ListClients, pb.ListClientsRequest(owner_user_id=owner), call)
        return [application_from_proto(client) for client in answer.clients]

    async def delete_client(self, owner: str, client_id: str, call: CallContext) -> None:
        """End an application with all its grants.

        Raises:
            NotFound: absent, or someone else's.
        """
        await self._ask(self._stub.DeleteClient, pb.DeleteClientRequest(owner_user_id=owner, client_id=client_id), call)


def application_from_proto(message: pb.Client) -> Application:
    """Convert at the border."""
    return Application(
        client_id=message.client_id,
        name=message.name,
        confidential=message.confidential,
        redirect_uris=tuple(message.redirect_uris),
        scopes=tuple(message.scopes),
        grant_types=tuple(message.grant_types),
        auth_method=message.token_endpoint_auth_method,
        created_at=moment(message, "created_at"),
        client_uri=message.client_uri,
        dpop_bound=message.dpop_bound_access_tokens,
        requires_pushed=message.require_pushed_authorization_requests,
        disabled=message.disabled,
    )


def _grant(message: pb.Grant) -> GrantView:
    return GrantView(
        grant_id=message.grant_id,
        application=application_from_proto(message.client),
        scopes=tuple(message.scopes),
        models=tuple(message.models),
        budget_micro_rub=message.budget.limit_micro_rub,
        budget_period=PERIODS.get(message.budget.period) if message.budget.limit_micro_rub else None,
        created_at=moment(message, "created_at"),
        last_used_at=moment(message, "last_used_at"),
        disabled=message.disabled,
    )
