"""A browser on its way to another OpenID provider and back."""

from __future__ import annotations

from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx
import pytest
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import oauth_pb2

from servicekit.errors import ServiceError
from services.auth.tests.accounts.conftest import EMAIL, People

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CALLBACK = "http://127.0.0.1:8080/login/external/test/callback"
VERIFIED = {"sub": "248289761001", "email": EMAIL, "email_verified": True, "name": "Анна"}


class Browser:
    """A browser on its way to a provider and back."""

    def __init__(self, people: People, provider_id: str = "test") -> None:
        self.people = people
        self.provider_id = provider_id
        self.cookie = ""
        self.params: list[tuple[str, str]] = []

    async def go(self) -> Browser:
        """Go to the provider, log in there, and come back."""
        asked = pb.StartExternalLoginRequest(provider_id=self.provider_id, return_to="/settings", redirect_uri=CALLBACK)
        departure = await self.people.call(asked)
        self.cookie = departure.state_cookie
        async with httpx.AsyncClient() as client:
            answer = await client.get(departure.redirect_url)
        back = urlsplit(answer.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
        self.params = parse_qsl(back.query)
        return self

    async def finish(self, **changed: Any) -> pb.FinishExternalLoginResponse:
        """Show the gateway what came back."""
        fields: dict[str, Any] = {
            "provider_id": self.provider_id,
            "params": [oauth_pb2.Param(name=name, value=value) for name, value in self.params],
            "state_cookie": self.cookie,
            "redirect_uri": CALLBACK,
        }
        answer: pb.FinishExternalLoginResponse = await self.people.call(
            pb.FinishExternalLoginRequest(**(fields | changed))
        )
        return answer

    async def refused(self, **changed: Any) -> ServiceError:
        """Return the error it is answered with."""
        with pytest.raises(ServiceError) as caught:
            await self.finish(**changed)
        return caught.value

    def with_param(self, name: str, value: str | None) -> Browser:
        """Come back with one parameter changed, or without it."""
        self.params = [pair for pair in self.params if pair[0] != name]
        if value is not None:
            self.params.append((name, value))
        return self


async def count_users(pool: Pool) -> object:
    """Return how many accounts there are."""
    return await pool.fetchval("SELECT count(*) FROM auth.users")
