"""The authorization server behind the edge: it decides, the gateway shows and carries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import grpc
import msgspec
from razvilka.auth.v1 import oauth_pb2 as pb
from razvilka.auth.v1 import oauth_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.errors import Internal
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.auth import caller_from_proto
from services.gateway.clients.caller import Caller
from services.gateway.clients.grants import application_from_proto
from services.gateway.clients.oauth_views import (
    Allowance,
    ConsentStep,
    ErrorStep,
    FormAnswer,
    IssuerKeys,
    LoginStep,
    OAuthRefused,
    Origin,
    Params,
    Pending,
    RedirectStep,
    Revocation,
    Step,
    UserInfo,
    origin_to_proto,
    params_to_proto,
)
from services.gateway.clients.periods import period_to_proto
from services.gateway.clients.timestamps import moment


class OAuthClient:
    """Carries requests to the authorization server. `deadline_s` bounds each."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = oauth_pb2_grpc.OAuthServiceStub(channel)
        self._deadline_s = deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext | None = None) -> Any:
        return await rpc_client.unary(method, request, deadline_s=self._deadline_s, call=call)

    async def _wait_for(self, method: Any, request: Any) -> Any:
        # Asked by the gateway itself, soon after its start: one connection that fails must not cost a whole round.
        return await rpc_client.unary(method, request, deadline_s=self._deadline_s, wait_for_ready=True)

    async def authorize(
        self, params: Params, session: str, origin: Origin, call: CallContext, *, pending_id: str = ""
    ) -> Step:
        """Return what must happen next with an authorization request, or with one that waited."""
        request = pb.AuthorizeRequest(
            params=params_to_proto(params), session_id=session, origin=origin_to_proto(origin), pending_id=pending_id
        )
        return _step(await self._ask(self._stub.Authorize, request, call))

    async def decide_consent(
        self, pending_id: str, session: str, allowance: Allowance, origin: Origin, call: CallContext
    ) -> str:
        """Record a decision; return where to send the browser.

        Raises:
            NotFound: nothing waits under this id for this session.
        """
        request = pb.DecideConsentRequest(
            pending_id=pending_id,
            session_id=session,
            approved=allowance.approved,
            scopes=allowance.scopes,
            models=allowance.models,
            budget_micro_rub=allowance.budget_micro_rub,
            budget_period=period_to_proto(allowance.budget_period),
            origin=origin_to_proto(origin),
        )
        answer = await self._ask(self._stub.DecideConsent, request, call)
        return str(answer.redirect_url)

    async def token(
        self, params: Params, authorization: str, origin: Origin, call: CallContext, *, dpop: str = ""
    ) -> FormAnswer:
        """Return the token endpoint's answer. `dpop`: the header with a proof of possession.

        Raises:
            OAuthRefused: the protocol's errors.
        """
        request = pb.TokenRequest(
            params=params_to_proto(params), authorization=authorization, origin=origin_to_proto(origin), dpop=dpop
        )
        answer = await self._ask(self._stub.Token, request, call)
        _raise_error(answer)
        token: pb.Token = answer.token
        body: dict[str, Any] = {
            "access_token": token.access_token,
            "token_type": token.token_type or "Bearer",
            "expires_in": token.expires_in_s,
        }
        for name in ("refresh_token", "scope", "id_token", "issued_token_type"):
            value = getattr(token, name)
            if value:
                body[name] = value
        return FormAnswer(msgspec.json.encode(body), answer.dpop_nonce)

    async def push(
        self, params: Params, authorization: str, origin: Origin, call: CallContext, *, dpop: str = ""
    ) -> FormAnswer:
        """Return the answer to a pushed authorization request (RFC 9126).

        Raises:
            OAuthRefused: the protocol's errors.
        """
        request = pb.PushAuthorizationRequest(
            params=params_to_proto(params), authorization=authorization, origin=origin_to_proto(origin), dpop=dpop
        )
        answer = await self._ask(self._stub.PushAuthorization, request, call)
        _raise_error(answer)
        return FormAnswer(str(answer.answer_json).encode(), answer.dpop_nonce)

    async def revoke(self, params: Params, authorization: str, origin: Origin, call: CallContext) -> bytes:
        """End a token; return an empty body.

        Raises:
            OAuthRefused: the protocol's errors.
        """
        request = pb.RevokeRequest(
            params=params_to_proto(params), authorization=authorization, origin=origin_to_proto(origin)
        )
        answer = await self._ask(self._stub.Revoke, request, call)
        if answer.HasField("error"):
            raise _refused(answer.error)
        return b"{}"

    async def introspect(self, params: Params, authorization: str, origin: Origin, call: CallContext) -> bytes:
        """Return what a token is.

        Raises:
            OAuthRefused: the protocol's errors.
        """
        request = pb.IntrospectRequest(
            params=params_to_proto(params), authorization=authorization, origin=origin_to_proto(origin)
        )
        answer = await self._ask(self._stub.Introspect, request, call)
        _raise_error(answer)
        return str(answer.claims_json).encode()

    async def user_info(self, access_token: str, call: CallContext) -> UserInfo:
        """Return the claims of a token's user.

        Raises:
            Unauthenticated: the token is not valid.
            PermissionDenied: it lacks the scope `openid`.
        """
        answer = await self._ask(self._stub.UserInfo, pb.UserInfoRequest(access_token=access_token), call)
        return UserInfo(str(answer.claims_json).encode(), answer.dpop_jkt)

    async def register(self, metadata_json: str, authorization: str, origin: Origin, call: CallContext) -> bytes:
        """Register an application (RFC 7591).

        Raises:
            OAuthRefused: the protocol's errors.
        """
        request = pb.RegisterClientRequest(
            metadata_json=metadata_json, authorization=authorization, origin=origin_to_proto(origin)
        )
        answer = await self._ask(self._stub.RegisterClient, request, call)
        _raise_error(answer)
        return str(answer.client_json).encode()

    async def start_device(self, params: Params, authorization: str, origin: Origin, call: CallContext) -> bytes:
        """Begin a device's authorization (RFC 8628).

        Raises:
            OAuthRefused: the protocol's errors.
        """
        request = pb.StartDeviceRequest(
            params=params_to_proto(params), authorization=authorization, origin=origin_to_proto(origin)
        )
        answer = await self._ask(self._stub.StartDevice, request, call)
        _raise_error(answer)
        return str(answer.device_json).encode()

    async def find_device(self, user_code: str, session: str, origin: Origin, call: CallContext) -> Pending:
        """Return what a user code asks for.

        Raises:
            NotFound: no such code.
            QuotaExceeded: too many guesses.
        """
        request = pb.FindDeviceRequest(user_code=user_code, session_id=session, origin=origin_to_proto(origin))
        return _pending((await self._ask(self._stub.FindDevice, request, call)).pending)

    async def decide_device(
        self, user_code: str, session: str, allowance: Allowance, origin: Origin, call: CallContext
    ) -> None:
        """Let a device in, or don't.

        Raises:
            NotFound: no such code.
        """
        request = pb.DecideDeviceRequest(
            user_code=user_code,
            session_id=session,
            approved=allowance.approved,
            scopes=allowance.scopes,
            models=allowance.models,
            budget_micro_rub=allowance.budget_micro_rub,
            budget_period=period_to_proto(allowance.budget_period),
            origin=origin_to_proto(origin),
        )
        await self._ask(self._stub.DecideDevice, request, call)

    async def get_keys(self) -> IssuerKeys:
        """Return the public keys, and what tokens must say; a service that restarts is waited for."""
        answer = await self._wait_for(self._stub.GetKeys, pb.GetKeysRequest())
        return IssuerKeys(
            answer.jwks_json,
            answer.issuer,
            answer.audience,
            tuple(answer.algorithms),
            answer.metadata_json,
            tuple(answer.dpop_nonces),
            answer.now_us / 1e6 or None,
        )

    async def get_grant(self, grant_id: str, user_id: str, call: CallContext) -> Caller:
        """Return what a grant allows now.

        Raises:
            Unauthenticated: it is over, or never was.
        """
        answer = await self._ask(self._stub.GetGrant, pb.GetGrantRequest(grant_id=grant_id, user_id=user_id), call)
        return caller_from_proto(answer.caller)

    async def list_revocations(self, since: datetime) -> AsyncIterator[tuple[list[Revocation], datetime]]:
        """Yield pages of what ended since a moment, with the next one to ask for; waits for a restart."""
        request = pb.ListRevocationsRequest(since=timestamp_to_proto(since))
        while True:
            answer = await self._wait_for(self._stub.ListRevocations, request)
            ended = [Revocation(each.kind, each.id, each.revoked_at.ToMilliseconds()) for each in answer.revocations]
            yield ended, moment(answer, "as_of") or since
            if not answer.next:
                return
            request = pb.ListRevocationsRequest(since=answer.revocations[-1].revoked_at, after=answer.next)


def _raise_error(answer: Any) -> None:
    if answer.WhichOneof("answer") == "error":
        raise _refused(answer.error, getattr(answer, "dpop_nonce", ""))
    if answer.WhichOneof("answer") is None:
        raise Internal()


def _refused(error: pb.OAuthError, dpop_nonce: str = "") -> OAuthRefused:
    return OAuthRefused(
        error.error,
        error.description,
        error.http_status or 400,
        challenge_basic=error.challenge_basic,
        retry_after_s=error.retry_after_s,
        dpop_nonce=dpop_nonce,
    )


def _step(answer: pb.AuthorizeResponse) -> Step:
    kind = answer.WhichOneof("next")
    if kind == "redirect_url":
        return RedirectStep(answer.redirect_url)
    if kind == "login":
        return LoginStep(_pending(answer.login))
    if kind == "consent":
        return ConsentStep(_pending(answer.consent))
    if kind == "error_page":
        return ErrorStep(answer.error_page.error, answer.error_page.description)
    raise Internal()


def _pending(message: pb.Pending) -> Pending:
    return Pending(
        message.pending_id,
        application_from_proto(message.client),
        tuple(message.scopes),
        message.user.email,
        message.login_hint,
        message.ui_locales,
    )
