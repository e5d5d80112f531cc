"""Files of a caller's request never stay at GigaChat, however the request ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from emulator.testing import RunningEmulator
from servicekit.errors import ServiceError
from services.router.tests.adapters import LONG_S, Adapters, ask, call_for, open_adapters
from services.router.tests.providers.bodies import FILE, IMAGE, parts


class Shelf:
    """A provider's files: pictures are taken when `go_on` is set, documents are refused."""

    def __init__(self) -> None:
        self.is_taken = asyncio.Event()
        self.go_on = asyncio.Event()
        self.deleted: asyncio.Queue[str] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if b"a.txt" in body:
            self.go_on.set()
            return web.json_response({"status": 400, "message": "no such document"}, status=400)
        self.is_taken.set()
        await self.go_on.wait()
        return web.json_response({"id": "picture"})

    async def delete(self, request: web.Request) -> web.Response:
        self.deleted.put_nowait(request.match_info["file"])
        return web.json_response({"id": request.match_info["file"], "deleted": True})


@asynccontextmanager
async def shelf_of(emulator: RunningEmulator) -> AsyncIterator[tuple[Shelf, Adapters]]:
    """Yield a provider that keeps files, and adapters that speak to it."""
    shelf, application = Shelf(), web.Application()
    application.router.add_post("/files", shelf.take)
    application.router.add_post("/files/{file}/delete", shelf.delete)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with open_adapters(emulator, gigachat={"base_url": site.name}) as adapters, asyncio.timeout(LONG_S):
            yield shelf, adapters
    finally:
        await runner.cleanup()


async def test_a_picture_beside_a_refused_document_is_deleted(emulator: RunningEmulator) -> None:
    """It was on its way when the document was refused, and lay there for good: nobody knew its name."""
    async with shelf_of(emulator) as (shelf, adapters):
        with pytest.raises(ServiceError):
            await adapters.gigachat.complete(ask(messages=parts(IMAGE, FILE)), call_for("gigachat"))

        assert await shelf.deleted.get() == "picture"


async def test_a_picture_of_a_caller_who_left_is_deleted(emulator: RunningEmulator) -> None:
    """In the middle of its upload."""
    async with shelf_of(emulator) as (shelf, adapters):
        asking = asyncio.create_task(adapters.gigachat.complete(ask(messages=parts(IMAGE)), call_for("gigachat")))
        await shelf.is_taken.wait()
        asking.cancel()
        shelf.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert await shelf.deleted.get() == "picture"
