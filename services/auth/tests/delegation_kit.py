"""Credentials that make others over the real server, as a gateway would let them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1 import oauth_pb2

from servicekit import rpc_client
from servicekit.errors import ErrorReason, Unauthenticated
from services.auth.tests.oauth.flow import claims_of, to_params

CLIENT_CREDENTIALS = "client_credentials"


@dataclass(eq=False)
class Credential:
    """A key, or an application's standing in its own name, with what made it."""

    makers: list[Credential]
    key_id: str = ""
    secret: str = ""
    grant_id: str = ""
    client_id: str = ""

    @property
    def subject(self) -> str:
        """Return its name among makers."""
        return f"key:{self.key_id}" if self.key_id else f"grant:{self.grant_id}"


@dataclass
class Household:
    """One account and all its credentials."""

    auth: Any
    oauth: Any
    user_id: str
    credentials: list[Credential] = field(default_factory=list)

    async def caller(self, credential: Credential) -> pb.Caller | None:
        """Return what it may do now; None: nothing any more."""
        try:
            if credential.key_id:
                answer = await self._ask(self.auth.VerifyApiKey, pb.VerifyApiKeyRequest(secret=credential.secret))
            else:
                answer = await self._ask(self.oauth.GetGrant, oauth_pb2.GetGrantRequest(grant_id=credential.grant_id))
        except Unauthenticated:
            return None
        found: pb.Caller = answer.caller
        return found

    async def new_key(self, maker: Credential | None, **fields: Any) -> Credential:
        """Make a key."""
        authority = await self.authority(maker)
        request = pb.CreateApiKeyRequest(
            user_id=self.user_id, name="k", maker=authority, by_operator=maker is None, **fields
        )
        made = await self._ask(self.auth.CreateApiKey, request)
        return self._add(Credential([maker] if maker else [], key_id=made.key.id, secret=made.secret))

    async def rotate(self, maker: Credential, old: Credential, overlap_s: int) -> Credential:
        """Put another key in the place of one; what that made goes on with its successor."""
        request = pb.RotateApiKeyRequest(
            user_id=self.user_id, key_id=old.key_id, overlap_s=overlap_s, maker=await self.authority(maker)
        )
        made = await self._ask(self.auth.RotateApiKey, request)
        by = [] if maker is old else [maker]
        successor = Credential([*old.makers, *by], key_id=made.key.id, secret=made.secret)
        for each in self.credentials:
            each.makers = [successor if one is old else one for one in each.makers]
        return self._add(successor)

    async def new_client(self, maker: Credential | None, **fields: Any) -> Any:
        """Register an application that acts in its own name; return the answer."""
        request = oauth_pb2.CreateClientRequest(
            owner_user_id=self.user_id,
            name="app",
            confidential=True,
            grant_types=[CLIENT_CREDENTIALS],
            by_operator=maker is None,
            maker=await self.authority(maker),
            **fields,
        )
        return await self._ask(self.oauth.CreateClient, request)

    async def new_machine(self, maker: Credential | None, **fields: Any) -> Credential:
        """Register such an application and have it take a token."""
        registered = await self.new_client(maker, **fields)
        client = registered.client
        basic = "Basic " + base64.b64encode(f"{client.client_id}:{registered.client_secret}".encode()).decode()
        scope = " ".join(set(client.scopes) - {"openid", "profile", "email"})
        form = to_params([("grant_type", CLIENT_CREDENTIALS), ("scope", scope)])
        answer = await self._ask(self.oauth.Token, oauth_pb2.TokenRequest(params=form, authorization=basic))
        if not answer.HasField("token"):
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, answer.error.error_description)
        grant_id = claims_of(answer.token.access_token)["gid"]
        return self._add(Credential([maker] if maker else [], client_id=client.client_id, grant_id=grant_id))

    async def end(self, credential: Credential) -> None:
        """End it, as its owner would."""
        if credential.key_id:
            await self._ask(
                self.auth.RevokeApiKey, pb.RevokeApiKeyRequest(user_id=self.user_id, key_id=credential.key_id)
            )
        else:
            request = oauth_pb2.DeleteClientRequest(owner_user_id=self.user_id, client_id=credential.client_id)
            await self._ask(self.oauth.DeleteClient, request)

    async def authority(self, maker: Credential | None) -> pb.Authority | None:
        """Return what a gateway says of the credential that asks."""
        if maker is None:
            return None
        caller = await self.caller(maker) or pb.Caller()
        return pb.Authority(
            scopes=caller.scopes,
            models=caller.models,
            ip_allow_list=caller.ip_allow_list,
            budgets=caller.budgets,
            expires_at=caller.expires_at if caller.HasField("expires_at") else None,
            subject=maker.subject,
        )

    def _add(self, made: Credential) -> Credential:
        self.credentials.append(made)
        return made

    async def _ask(self, method: Any, request: Any) -> Any:
        return await rpc_client.unary(method, request, deadline_s=60.0)
