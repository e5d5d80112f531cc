"""The token, revocation, introspection and device authorization endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from services.auth.oauth import metrics
from services.auth.oauth.domain.client import EXCHANGE_CLIENT_ID, Client, GrantType
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal
from services.auth.oauth.domain.token import Token
from services.auth.oauth.flows.client_authentication import ClientAuthenticator
from services.auth.oauth.flows.code_flow import OAuthService
from services.auth.oauth.flows.device_flow import DeviceFlows
from services.auth.oauth.flows.machine_grants import MachineGrants
from services.auth.oauth.flows.proof_check import ProofChecker
from services.auth.oauth.tokens.inspection import Inspection

# Parameters, who asks, the thumbprint of the key they hold -> the tokens.
Handler = Callable[[Params, Client, str | None], Awaitable[Token]]


class TokenEndpoint:
    """The endpoints that clients call directly, without a browser."""

    def __init__(
        self,
        oauth: OAuthService,
        authenticator: ClientAuthenticator,
        devices: DeviceFlows,
        machine_grants: MachineGrants,
        inspection: Inspection,
        proofs: ProofChecker,
    ) -> None:
        self._oauth = oauth
        self._authenticator = authenticator
        self._devices = devices
        self._machine_grants = machine_grants
        self._inspection = inspection
        self._proofs = proofs
        self._handlers: dict[GrantType, Handler] = {
            GrantType.AUTHORIZATION_CODE: self._redeem_code,
            GrantType.REFRESH_TOKEN: self._refresh,
            GrantType.CLIENT_CREDENTIALS: self._act_for_itself,
            GrantType.DEVICE_CODE: self._redeem_device,
            GrantType.TOKEN_EXCHANGE: self._exchange,
        }

    async def token(self, params: Params, authorization: str, proof: str) -> Token | OAuthRefusal:
        """Answer the token endpoint. `proof`: the DPoP header, "" when there is none."""
        try:
            return await self._token(params, authorization, proof)
        except OAuthRefusal as refusal:
            metrics.TOKEN_ERRORS.labels(refusal.error.value).inc()
            return refusal

    async def revoke(self, params: Params, authorization: str) -> OAuthRefusal | None:
        """Answer the revocation endpoint (RFC 7009); None is success, also for tokens that never were."""
        try:
            params.check_unambiguous()
            client = await self._authenticator.authenticate(params, authorization)
            await self._oauth.revoke_token(params.require("token"), client=client)
        except OAuthRefusal as refusal:
            return refusal
        return None

    async def introspect(self, params: Params, authorization: str) -> dict[str, Any] | OAuthRefusal:
        """Answer the introspection endpoint (RFC 7662)."""
        try:
            params.check_unambiguous()
            client = await self._authenticator.authenticate_confidential(params, authorization)
            return await self._inspection.introspect(params.require("token"), client)
        except OAuthRefusal as refusal:
            return refusal

    async def start_device(self, params: Params, authorization: str) -> dict[str, Any] | OAuthRefusal:
        """Answer the device authorization endpoint (RFC 8628 3.1)."""
        try:
            params.check_unambiguous()
            client = await self._authenticator.authenticate(params, authorization)
            return await self._devices.start(client, params.get("scope"))
        except OAuthRefusal as refusal:
            return refusal

    async def _token(self, params: Params, authorization: str, proof: str) -> Token:
        params.check_unambiguous()
        grant_type = self._grant_type(params.require("grant_type"))
        client = await self._client(grant_type, params, authorization)
        if not client.may(grant_type) and grant_type is not GrantType.TOKEN_EXCHANGE:
            raise OAuthRefusal(OAuthError.UNAUTHORIZED_CLIENT, "This client may not use this grant type.")
        thumbprint = await self._proofs.thumbprint(client, proof, "/token")
        return await self._handlers[grant_type](params, client, thumbprint)

    def _grant_type(self, name: str) -> GrantType:
        if name not in GrantType._value2member_map_:
            raise OAuthRefusal(OAuthError.UNSUPPORTED_GRANT_TYPE, "This grant type is not supported.")
        grant_type = GrantType(name)
        if grant_type is GrantType.TOKEN_EXCHANGE and not self._machine_grants.takes_legacy_tokens():
            raise OAuthRefusal(OAuthError.UNSUPPORTED_GRANT_TYPE, "Tokens of release 1.0 are not exchanged here.")
        return grant_type

    async def _client(self, grant_type: GrantType, params: Params, authorization: str) -> Client:
        # Users of release 1.0 have registered no application; for them there is one.
        nobody = not authorization and params.get("client_id") is None
        if grant_type is GrantType.TOKEN_EXCHANGE and nobody:
            built_in = await self._authenticator.stand_in(EXCHANGE_CLIENT_ID)
            if built_in is not None:
                return built_in
        return await self._authenticator.authenticate(params, authorization)

    async def _redeem_code(self, params: Params, client: Client, thumbprint: str | None) -> Token:
        return await self._oauth.handle_callback(
            params.require("code"),
            params.require("code_verifier"),
            client=client,
            redirect_uri=params.get("redirect_uri"),
            thumbprint=thumbprint,
        )

    async def _refresh(self, params: Params, client: Client, thumbprint: str | None) -> Token:
        return await self._oauth.refresh_token(
            params.require("refresh_token"), client=client, scope=params.get("scope"), thumbprint=thumbprint
        )

    async def _act_for_itself(self, params: Params, client: Client, thumbprint: str | None) -> Token:
        return await self._machine_grants.act_for_itself(client, params.get("scope"), thumbprint)

    async def _redeem_device(self, params: Params, client: Client, thumbprint: str | None) -> Token:
        return await self._devices.redeem(params.require("device_code"), client, thumbprint)

    async def _exchange(self, params: Params, client: Client, thumbprint: str | None) -> Token:
        if params.get("actor_token") is not None:
            raise OAuthRefusal(OAuthError.INVALID_REQUEST, "Nobody can act for somebody else.")
        token, kind = params.require("subject_token"), params.require("subject_token_type")
        return await self._machine_grants.exchange(client, token, kind, params.get("scope"), thumbprint)
