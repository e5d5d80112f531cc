"""How a provider is found while names cannot be looked up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from servicekit.errors import ErrorReason, ServiceError
from services.router.providers.transport.http import open_http
from services.router.providers.transport.names import RememberingResolver
from services.router.tests.adapters import LONG_S, PATIENT

FOUND = ResolveResult(hostname="example.com", host="192.0.2.1", port=443, family=socket.AF_INET, proto=0, flags=0)


class Names(AbstractResolver):
    """Finds a host, finds none, or never says, as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.fault: OSError | None = None
        self.may_answer = asyncio.Event()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return [FOUND]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def remembering(names: Names, most_s: float) -> AsyncIterator[RememberingResolver]:
    resolver = RememberingResolver(names, most_s)
    try:
        yield resolver
    finally:
        await resolver.close()


async def test_a_look_up_that_never_ends_is_a_connection_that_is_not_made_in_time() -> None:
    """It took all of the time for an answer, half a minute or more, before another model was asked."""
    settings = PATIENT.model_copy(update={"connect_s": 0.05})
    async with open_http(settings, Names()) as http, asyncio.timeout(LONG_S / 2):
        with pytest.raises(ServiceError) as caught:
            await http.post(URL("https://example.com/"), b"{}", {})

    assert caught.value.reason is ErrorReason.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "lost"])
async def test_a_host_that_was_found_is_found_while_names_are_lost(is_silent: bool) -> None:
    """Its provider answers as before: addresses outlive the service that tells them."""
    names = Names()
    names.may_answer.set()
    async with remembering(names, 0.05) as resolver:
        assert await resolver.resolve("example.com", 443) == [FOUND]
        names.fault = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if is_silent:
            names.may_answer.clear()

        assert await resolver.resolve("example.com", 443) == [FOUND]
        with pytest.raises((OSError, TimeoutError)):
            await resolver.resolve("example.net", 443)


async def test_a_host_of_which_it_is_said_that_there_is_none_is_not_called() -> None:
    """Its last addresses may be those of another one, who would hear prompts."""
    names = Names()
    names.may_answer.set()
    async with remembering(names, LONG_S) as resolver:
        await resolver.resolve("example.com", 443)
        names.fault = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        with pytest.raises(socket.gaierror):
            await resolver.resolve("example.com", 443)


async def test_those_who_ask_again_wait_for_the_same_look_up() -> None:
    """Each of the system's occupies a thread, of which there are few."""
    names = Names()
    async with remembering(names, 0.01) as resolver:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await resolver.resolve("example.com", 443)

    assert names.asked == 1
