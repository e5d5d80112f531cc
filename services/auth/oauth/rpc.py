"""gRPC servicers of OAuth: decode, call, encode; protocol errors are answers, not RPC errors."""

from __future__ import annotations

from dataclasses import dataclass

from razvilka.auth.v1 import oauth_pb2 as pb
from razvilka.auth.v1 import oauth_pb2_grpc as pb_grpc

from servicekit.timestamps import timestamp_from_proto, timestamp_to_proto
from services.auth.oauth import rpc_messages as messages
from services.auth.oauth.audit_events import enter_origin
from services.auth.oauth.client_changes import ClientChanges
from services.auth.oauth.clients import Clients
from services.auth.oauth.domain.authorization import Decision
from services.auth.oauth.domain.refusal import OAuthRefusal
from services.auth.oauth.flows.authorization_endpoint import AuthorizationEndpoint
from services.auth.oauth.flows.device_flow import DeviceFlows
from services.auth.oauth.flows.discovery import Discovery
from services.auth.oauth.flows.proof_check import ProofChecker
from services.auth.oauth.flows.pushed_authorization import PushedAuthorization
from services.auth.oauth.flows.token_endpoint import TokenEndpoint
from services.auth.oauth.grants import Grants
from services.auth.oauth.tokens.inspection import Inspection
from services.auth.oauth.tokens.signing_keys import KeyRing
from services.auth.shared.domain.origin import origin_of
from services.auth.shared.rpc_values import Context, asker_of, caller_to_proto


@dataclass(frozen=True, slots=True)
class OAuthUseCases:
    """The use cases behind the servicer."""

    authorization: AuthorizationEndpoint
    endpoint: TokenEndpoint
    inspection: Inspection
    proofs: ProofChecker
    pushed: PushedAuthorization
    devices: DeviceFlows
    clients: Clients
    client_changes: ClientChanges
    grants: Grants
    discovery: Discovery
    ring: KeyRing


class OAuthServicer(pb_grpc.OAuthServiceServicer):
    """Implements the OAuth service."""

    def __init__(self, cases: OAuthUseCases) -> None:
        self._cases = cases

    async def Authorize(self, request: pb.AuthorizeRequest, context: Context) -> pb.AuthorizeResponse:
        """Begin an authorization request, or go on with one that waited for a login."""
        _enter(request.origin)
        if request.pending_id:
            step = await self._cases.authorization.resume(request.pending_id, request.session_id)
        else:
            params = messages.params_from_proto(request.params)
            step = await self._cases.authorization.begin(params, request.session_id)
        return messages.next_to_proto(step)

    async def DecideConsent(self, request: pb.DecideConsentRequest, context: Context) -> pb.DecideConsentResponse:
        """Take the user's decision."""
        _enter(request.origin)
        decision = Decision(request.approved, messages.allowance_from_proto(request))
        url = await self._cases.authorization.decide(request.pending_id, request.session_id, decision)
        return pb.DecideConsentResponse(redirect_url=url)

    async def Token(self, request: pb.TokenRequest, context: Context) -> pb.TokenResponse:
        """Answer the token endpoint."""
        _enter(request.origin)
        params = messages.params_from_proto(request.params)
        answer = await self._cases.endpoint.token(params, request.authorization, request.dpop)
        nonce = self._cases.proofs.nonce_for(request.dpop)
        if isinstance(answer, OAuthRefusal):
            return pb.TokenResponse(error=messages.error_to_proto(answer), dpop_nonce=nonce)
        return pb.TokenResponse(token=messages.token_to_proto(answer), dpop_nonce=nonce)

    async def PushAuthorization(
        self, request: pb.PushAuthorizationRequest, context: Context
    ) -> pb.PushAuthorizationResponse:
        """Answer the endpoint of pushed authorization requests."""
        _enter(request.origin)
        params = messages.params_from_proto(request.params)
        answer = await self._cases.pushed.push(params, request.authorization, request.dpop)
        nonce = self._cases.proofs.nonce_for(request.dpop)
        if isinstance(answer, OAuthRefusal):
            return pb.PushAuthorizationResponse(error=messages.error_to_proto(answer), dpop_nonce=nonce)
        return pb.PushAuthorizationResponse(answer_json=messages.json_text(answer), dpop_nonce=nonce)

    async def Revoke(self, request: pb.RevokeRequest, context: Context) -> pb.RevokeResponse:
        """Answer the revocation endpoint."""
        _enter(request.origin)
        params = messages.params_from_proto(request.params)
        refusal = await self._cases.endpoint.revoke(params, request.authorization)
        return pb.RevokeResponse(error=messages.error_to_proto(refusal) if refusal else None)

    async def Introspect(self, request: pb.IntrospectRequest, context: Context) -> pb.IntrospectResponse:
        """Answer the introspection endpoint."""
        _enter(request.origin)
        params = messages.params_from_proto(request.params)
        answer = await self._cases.endpoint.introspect(params, request.authorization)
        if isinstance(answer, OAuthRefusal):
            return pb.IntrospectResponse(error=messages.error_to_proto(answer))
        return pb.IntrospectResponse(claims_json=messages.json_text(answer))

    async def UserInfo(self, request: pb.UserInfoRequest, context: Context) -> pb.UserInfoResponse:
        """Return the claims of a token's user."""
        claims, thumbprint = await self._cases.inspection.user_info(request.access_token)
        return pb.UserInfoResponse(claims_json=messages.json_text(claims), dpop_jkt=thumbprint)

    async def RegisterClient(self, request: pb.RegisterClientRequest, context: Context) -> pb.RegisterClientResponse:
        """Answer the registration endpoint."""
        _enter(request.origin)
        answer = await self._cases.clients.register(request.metadata_json, request.authorization)
        if isinstance(answer, OAuthRefusal):
            return pb.RegisterClientResponse(error=messages.error_to_proto(answer))
        return pb.RegisterClientResponse(client_json=messages.json_text(answer))

    async def StartDevice(self, request: pb.StartDeviceRequest, context: Context) -> pb.StartDeviceResponse:
        """Answer the device authorization endpoint."""
        _enter(request.origin)
        params = messages.params_from_proto(request.params)
        answer = await self._cases.endpoint.start_device(params, request.authorization)
        if isinstance(answer, OAuthRefusal):
            return pb.StartDeviceResponse(error=messages.error_to_proto(answer))
        return pb.StartDeviceResponse(device_json=messages.json_text(answer))

    async def FindDevice(self, request: pb.FindDeviceRequest, context: Context) -> pb.FindDeviceResponse:
        """Return what a user code asks for."""
        _enter(request.origin)
        found = await self._cases.devices.find(request.user_code, request.session_id)
        return pb.FindDeviceResponse(pending=messages.device_to_proto(found))

    async def DecideDevice(self, request: pb.DecideDeviceRequest, context: Context) -> pb.DecideDeviceResponse:
        """Let a device in, or not."""
        _enter(request.origin)
        allowance = messages.allowance_from_proto(request)
        await self._cases.devices.decide(
            request.user_code, request.session_id, approved=request.approved, allowance=allowance
        )
        return pb.DecideDeviceResponse()

    async def RotateSigningKey(
        self, request: pb.RotateSigningKeyRequest, context: Context
    ) -> pb.RotateSigningKeyResponse:
        """Make the key that signs next."""
        key = await self._cases.ring.make_next()
        return pb.RotateSigningKeyResponse(kid=key.kid, signs_from=timestamp_to_proto(key.signs_from))

    async def GetKeys(self, request: pb.GetKeysRequest, context: Context) -> pb.GetKeysResponse:
        """Return the public keys and the metadata."""
        described = await self._cases.discovery.describe()
        return pb.GetKeysResponse(
            jwks_json=messages.json_text(described.jwks),
            issuer=described.terms.issuer,
            audience=described.terms.audience,
            algorithms=[described.algorithm],
            metadata_json=messages.json_text(described.metadata),
            dpop_nonces=self._cases.proofs.nonces,
            now_us=round(described.now.timestamp() * 1e6),
        )

    async def GetGrant(self, request: pb.GetGrantRequest, context: Context) -> pb.GetGrantResponse:
        """Return what a grant allows now."""
        caller = await self._cases.grants.caller_of(request.grant_id, request.user_id)
        return pb.GetGrantResponse(caller=caller_to_proto(caller))

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Context) -> pb.ListGrantsResponse:
        """List the applications a user let in."""
        found = await self._cases.grants.list_of(request.user_id)
        return pb.ListGrantsResponse(grants=[messages.grant_to_proto(grant, client) for grant, client in found])

    async def RevokeGrant(self, request: pb.RevokeGrantRequest, context: Context) -> pb.RevokeGrantResponse:
        """End a grant with all its tokens."""
        await self._cases.grants.revoke(request.user_id, request.grant_id)
        return pb.RevokeGrantResponse()

    async def CreateClient(self, request: pb.CreateClientRequest, context: Context) -> pb.CreateClientResponse:
        """Register an application."""
        new = await self._cases.clients.create(
            messages.order_from_proto(request), request.client_id, asker_of(request, context)
        )
        return pb.CreateClientResponse(client=messages.client_to_proto(new.client), client_secret=new.secret)

    async def ListClients(self, request: pb.ListClientsRequest, context: Context) -> pb.ListClientsResponse:
        """List a user's applications."""
        found = await self._cases.clients.list_of(request.owner_user_id)
        return pb.ListClientsResponse(clients=[messages.client_to_proto(client) for client in found])

    async def ChangeClient(self, request: pb.ChangeClientRequest, context: Context) -> pb.ChangeClientResponse:
        """Change an application."""
        change = messages.change_from_proto(request)
        client = await self._cases.client_changes.change(change, asker_of(request, context))
        return pb.ChangeClientResponse(client=messages.client_to_proto(client))

    async def RotateClientSecret(
        self, request: pb.RotateClientSecretRequest, context: Context
    ) -> pb.RotateClientSecretResponse:
        """Give an application a fresh secret."""
        ids = (request.owner_user_id, request.client_id)
        asker = asker_of(request, context)
        fresh = await self._cases.client_changes.rotate_secret(*ids, request.overlap_s, asker)
        return pb.RotateClientSecretResponse(client=messages.client_to_proto(fresh.client), client_secret=fresh.secret)

    async def DeleteClient(self, request: pb.DeleteClientRequest, context: Context) -> pb.DeleteClientResponse:
        """End an application with all its grants."""
        await self._cases.clients.delete(request.owner_user_id, request.client_id)
        return pb.DeleteClientResponse()

    async def ListRevocations(self, request: pb.ListRevocationsRequest, context: Context) -> pb.ListRevocationsResponse:
        """Return what was revoked since a time, a page of it."""
        since = timestamp_from_proto(request.since, "since")
        page = await self._cases.grants.revoked_since(since, request.after)
        return pb.ListRevocationsResponse(
            revocations=[messages.revocation_to_proto(revocation) for revocation in page.revocations],
            as_of=timestamp_to_proto(page.as_of),
            next=page.next,
        )


def _enter(origin: pb.Origin) -> None:
    enter_origin(origin_of(origin.ip, "").ip)
