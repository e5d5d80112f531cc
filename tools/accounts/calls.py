"""The calls to the auth service that make the demo account."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from razvilka.auth.v1 import account_pb2, account_pb2_grpc, auth_pb2, auth_pb2_grpc, oauth_pb2, oauth_pb2_grpc

from servicekit.errors import NotFound, PermissionDenied, Unauthenticated
from servicekit.rpc_client import unary

DEADLINE_S: Final = 15.0
NAME: Final = "Demo"


@dataclass(frozen=True, slots=True)
class DemoClient:
    """An OAuth application; a public one has no secret."""

    client_id: str
    secret: str = field(default="", repr=False)


class DemoCalls:
    """What the demo account asks of auth."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._keys: Any = auth_pb2_grpc.AuthServiceStub(channel)
        self._people: Any = account_pb2_grpc.AccountServiceStub(channel)
        self._oauth: Any = oauth_pb2_grpc.OAuthServiceStub(channel)

    async def holder(self, key: str) -> str | None:
        """Return the user a key belongs to, None when it does not work."""
        if not key:
            return None
        request = auth_pb2.VerifyApiKeyRequest(secret=key)
        try:
            answer = await unary(self._keys.VerifyApiKey, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        except (Unauthenticated, NotFound):
            return None
        return str(answer.caller.user_id)

    async def key_id(self, key: str) -> str:
        """Return the id of a key that works."""
        request = auth_pb2.VerifyApiKeyRequest(secret=key)
        answer = await unary(self._keys.VerifyApiKey, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        return str(answer.caller.key_id)

    async def email_of(self, user_id: str | None) -> str | None:
        """Return a user's address, None when there is no such user."""
        if not user_id:
            return None
        request = account_pb2.GetProfileRequest(user_id=user_id)
        try:
            answer = await unary(self._people.GetProfile, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        except NotFound:
            return None
        return str(answer.profile.email)

    async def seed(self, email: str, password: str, *, name: str = NAME, admin: bool = True) -> str | None:
        """Make or update a verified person; return the id, None where people cannot be seeded."""
        request = account_pb2.SeedUserRequest(
            email=email, password=password, name=name, tier=auth_pb2.TIER_ENTERPRISE, admin=admin
        )
        try:
            answer = await unary(self._people.SeedUser, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        except PermissionDenied:
            return None
        return str(answer.user_id)

    async def new_key(self, user_id: str, name: str, scopes: Sequence[str], *, monthly_micro_rub: int = 0) -> str:
        """Make an API key and return it; 0: its account's budget is its own."""
        request = auth_pb2.CreateApiKeyRequest(user_id=user_id, name=name, scopes=scopes, by_operator=True)
        if monthly_micro_rub:
            request.budget_micro_rub, request.budget_period = monthly_micro_rub, auth_pb2.BUDGET_PERIOD_MONTH
        answer = await unary(self._keys.CreateApiKey, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        return str(answer.secret)

    async def client_ids(self, user_id: str) -> frozenset[str]:
        """Return the user's OAuth applications."""
        request = oauth_pb2.ListClientsRequest(owner_user_id=user_id)
        answer = await unary(self._oauth.ListClients, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        return frozenset(client.client_id for client in answer.clients)

    async def new_client(self, order: oauth_pb2.CreateClientRequest) -> DemoClient:
        """Register an OAuth application."""
        answer = await unary(self._oauth.CreateClient, order, deadline_s=DEADLINE_S, wait_for_ready=True)
        return DemoClient(answer.client.client_id, answer.client_secret)
