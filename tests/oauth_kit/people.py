"""People of the tests: verified accounts with a password, made at the auth service as the demonstration's are."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from razvilka.auth.v1 import account_pb2, account_pb2_grpc, auth_pb2, auth_pb2_grpc

from servicekit.rpc_client import unary
from tools.accounts.demo import Auth
from tools.stack.running_stack import PATIENT


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can log in."""

    user_id: str
    email: str
    password: str = field(repr=False)


def seed_key(auth: Auth, person: Person, *scopes: str) -> str:
    """Make an API key of somebody, as an operator does; return its secret."""
    return asyncio.run(_seed_key(auth, person.user_id, scopes))


async def _seed_key(auth: Auth, user_id: str, scopes: tuple[str, ...]) -> str:
    async with auth.channel() as channel:
        stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
        request = auth_pb2.CreateApiKeyRequest(user_id=user_id, name="Тест", scopes=scopes, by_operator=True)
        return str((await unary(stub.CreateApiKey, request, **PATIENT)).secret)


def seed_person(auth: Auth, name: str = "Тест Тестов", *, is_admin: bool = False) -> Person:
    """Make a person of the enterprise tier."""
    email, password = f"p{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18)
    return Person(asyncio.run(_seed(auth, email, password, name, is_admin)), email, password)


async def _seed(auth: Auth, email: str, password: str, name: str, is_admin: bool) -> str:
    async with auth.channel() as channel:
        stub: Any = account_pb2_grpc.AccountServiceStub(channel)
        request = account_pb2.SeedUserRequest(
            email=email, password=password, name=name, tier=auth_pb2.TIER_ENTERPRISE, admin=is_admin
        )
        return str((await unary(stub.SeedUser, request, **PATIENT)).user_id)
