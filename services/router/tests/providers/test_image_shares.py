"""Images of one caller hold up nobody else's: servers that do not answer are theirs to wait for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from emulator.wire.tls import CertificateFiles, make_certificates
from services.router.tests.providers.test_web_images import PARAM, PNG, images, site


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFiles:
    return make_certificates(tmp_path, "pictures.example")


async def test_slow_addresses_of_one_caller_leave_room_for_others(certificates: CertificateFiles) -> None:
    """A free key with two requests every ten seconds had all places of a router: nobody else's images came in time."""
    is_asked = asyncio.Semaphore(0)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/never":
            is_asked.release()
            await asyncio.Event().wait()
        return web.Response(body=PNG)

    async with site(answer, certificates) as served, images(certificates, at_once=2, timeout_s=60) as fetcher:
        never = served.url.replace("a.png", "never")
        slow = [asyncio.create_task(fetcher.fetch(never, PARAM, "slow")) for _ in range(5)]
        await is_asked.acquire()

        async with asyncio.timeout(30):
            pictures = [await fetcher.fetch(served.url, PARAM, "other") for _ in range(3)]
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

        assert [picture.content for picture in pictures] == [PNG] * 3
        assert is_asked.locked()
        assert (await fetcher.fetch(served.url, PARAM, "slow")).content == PNG


async def test_with_one_place_callers_take_turns(certificates: CertificateFiles) -> None:
    """Half of one is one."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG)

    async with site(answer, certificates) as served, images(certificates, at_once=1) as fetcher:
        found = await asyncio.gather(*[fetcher.fetch(served.url, PARAM, f"caller {n % 2}") for n in range(4)])
        assert [picture.content for picture in found] == [PNG] * 4
