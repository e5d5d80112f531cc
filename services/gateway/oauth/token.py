"""/token, /par, /revoke, /introspect, /device_authorization, /register, /userinfo: raw parameters in, answers out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive, Scope

from servicekit.call import CallContext
from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.oauth_views import FormAnswer, OAuthRefused, Origin, Params
from services.gateway.edge.endpoint import Cors, Endpoint
from services.gateway.edge.header_values import plain_value
from services.gateway.edge.reading.json_body import strict_json
from services.gateway.edge.reading.params import content_type, read_form, read_small_body
from services.gateway.edge.request_context import RequestContext, is_dpop
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.authentication import bearer_of, token_of_dpop
from services.gateway.identity.possession import PossessionCheck, proof_in
from services.gateway.identity.token_claims import invalid_token
from services.gateway.oauth.endpoint import Handle, JsonAnswer, protocol_endpoint

Ask = Callable[[Params, str, Origin, CallContext], Awaitable[bytes]]


class AskWithProof(Protocol):
    """Asks auth with a proof of possession, if there is one."""

    async def __call__(
        self, params: Params, authorization: str, origin: Origin, call: CallContext, *, dpop: str = ""
    ) -> FormAnswer:
        """Return the answer."""
        ...


@dataclass(frozen=True, slots=True)
class TokenEndpoints:
    """The endpoints that take a form or a token."""

    oauth: OAuthClient
    possession: PossessionCheck
    limit: OAuthLimit
    cors: Cors

    def all(self) -> list[Endpoint]:
        """Return them."""
        forms: dict[str, tuple[Ask, Cors | None]] = {
            "/revoke": (self.oauth.revoke, self.cors),
            # Resource servers introspect, not pages.
            "/introspect": (self.oauth.introspect, None),
            "/device_authorization": (self.oauth.start_device, None),
        }
        endpoints = [protocol_endpoint(path, _form(ask), self.limit, cors=cors) for path, (ask, cors) in forms.items()]
        return [
            protocol_endpoint("/token", _form_with_proof(self.oauth.token, 200), self.limit, cors=self.cors),
            # Pages push, too: their clients are public.
            protocol_endpoint("/par", _form_with_proof(self.oauth.push, 201), self.limit, cors=self.cors),
            *endpoints,
            protocol_endpoint("/register", self._register, self.limit),
            protocol_endpoint("/userinfo", self._user_info, self.limit, ("GET", "POST"), self.cors),
        ]

    async def _register(self, scope: Scope, receive: Receive, context: RequestContext, origin: Origin) -> JsonAnswer:
        if content_type(scope) != b"application/json":
            raise OAuthRefused("invalid_client_metadata", "The body must be application/json.")
        body = await read_small_body(scope, receive)
        try:
            await strict_json(body)
        except InvalidRequest as exc:
            raise OAuthRefused("invalid_client_metadata", exc.message) from exc
        return 201, await self.oauth.register(body.decode(), _authorization(context), origin, context.call)

    async def _user_info(self, scope: Scope, receive: Receive, context: RequestContext, origin: Origin) -> JsonAnswer:
        if b"access_token=" in scope["query_string"]:
            raise InvalidRequest(ErrorReason.INVALID_REQUEST, "The token belongs into the Authorization header.")
        is_bound = is_dpop(context.authorization)
        token = token_of_dpop(context.authorization) if is_bound else bearer_of(context.authorization)
        info = await self.oauth.user_info(token.decode(), context.call)
        if is_bound is not bool(info.thumbprint):
            raise invalid_token()
        if is_bound:
            await self.possession.check(token, info.thumbprint, context)
        return 200, info.claims_json


def _form(ask: Ask) -> Handle:
    async def handle(scope: Scope, receive: Receive, context: RequestContext, origin: Origin) -> JsonAnswer:
        params = await _params(scope, receive)
        return 200, await ask(params, _authorization(context), origin, context.call)

    return handle


def _form_with_proof(ask: AskWithProof, status: int) -> Handle:
    async def handle(scope: Scope, receive: Receive, context: RequestContext, origin: Origin) -> JsonAnswer:
        params = await _params(scope, receive)
        answer = await ask(params, _authorization(context), origin, context.call, dpop=proof_in(scope))
        if answer.dpop_nonce:
            context.headers.append((b"dpop-nonce", plain_value(answer.dpop_nonce)))
        return status, answer.body

    return handle


async def _params(scope: Scope, receive: Receive) -> Params:
    if scope["query_string"]:
        # RFC 6749 3.2 and 2.3.1: addresses are logged, so nothing is read from them.
        raise OAuthRefused("invalid_request", "The parameters belong into the body.")
    return await read_form(scope, receive)


def _authorization(context: RequestContext) -> str:
    try:
        text = context.authorization.decode("ascii")
    except UnicodeDecodeError as exc:
        raise OAuthRefused("invalid_request", "The Authorization header is not ASCII.") from exc
    # Two such headers: see RequestContext. One that says nothing at all is no authentication that anybody could mean.
    return "invalid" if text == "\0" else text
