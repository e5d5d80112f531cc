"""Files of a caller's request: told as GigaChat takes them, and gone however the request ends."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from emulator.testing import RunningEmulator
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import ContentPart, ToolChoice
from services.router.providers.gigachat.attached.files import File, files_of
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


CONTENT = base64.b64encode(b"camp").decode()


def a_part(kind: str, **given: str) -> ContentPart:
    return ContentPart(kind, json=json.dumps({"type": kind, kind: given}).encode())


def a_document(mime: str, name: str = "") -> ContentPart:
    return a_part("file", file_data=f"data:{mime};base64,{CONTENT}", **({"filename": name} if name else {}))


def an_image(mime: str) -> ContentPart:
    return a_part("image_url", url=f"data:{mime};base64,{CONTENT}")


def a_sound(form: str) -> ContentPart:
    return a_part("input_audio", data=CONTENT, format=form)


OFFICE = "application/vnd.openxmlformats-officedocument"
TAKEN = [
    (a_sound("mp3"), "sound.mp3", "audio/mp3"),
    (a_sound("wav"), "sound.wav", "audio/wav"),
    (a_sound("ogg"), "sound.ogg", "audio/x-ogg"),
    (an_image("image/jpg"), "image.jpg", "image/jpeg"),
    (an_image("image/bmp"), "image.bmp", "image/bmp"),
    (a_document("application/pdf"), "document.pdf", "application/pdf"),
    (a_document("application/pdf", "report"), "report.pdf", "application/pdf"),
    (a_document("application/octet-stream", "a.PDF"), "a.PDF", "application/pdf"),
    (a_document("text/markdown", "notes.md"), "notes.md", "text/plain"),
    (a_document("application/json", "a.json"), "a.json", "text/plain"),
    (a_document("application/epub+zip", "a.epub"), "a.epub", "application/epub"),
    (a_document(f"{OFFICE}.presentationml.presentation", "a.pptx"), "a.pptx", "application/pptx"),
    (a_document(f"{OFFICE}.spreadsheetml.sheet", "a.xlsx"), "a.xlsx", "application/vnd.ms-excel"),
]


@pytest.mark.parametrize(("part", "name", "mime"), TAKEN, ids=[f"{name}-{mime}" for _, name, mime in TAKEN])
async def test_files_are_called_what_the_provider_calls_them(
    adapters: Adapters, part: ContentPart, name: str, mime: str
) -> None:
    """It has types of its own for sound, tables and slides, and refuses what it does not know."""
    asked = ask(messages=parts(part))

    assert [(file.name, file.mime) for file in files_of(asked) if isinstance(file, File)] == [(name, mime)]
    assert (await adapters.gigachat.complete(asked, call_for("gigachat"))).choices


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (an_image("image/webp"), "messages[0].content[0]"),
        (an_image("image/gif"), "messages[0].content[0]"),
        (a_sound("flac"), "messages[0].content[0].input_audio.format"),
        (a_document("application/zip", "a.zip"), "messages[0].content[0].file.file_data"),
        (a_document("application/octet-stream"), "messages[0].content[0].file.file_data"),
    ],
)
def test_kinds_that_it_does_not_take_are_refused_by_their_field(part: ContentPart, param: str) -> None:
    """Before anything is uploaded; the words say what it takes."""
    with pytest.raises(ServiceError, match="it takes") as caught:
        files_of(ask(messages=parts(part)))

    assert (caught.value.reason, caught.value.param) == (ErrorReason.UNSUPPORTED_PARAMETER, param)


def test_a_second_document_is_refused() -> None:
    """GigaChat reads the first one only: an answer without the other would look like one of both."""
    documents = [a_document("application/pdf", name) for name in ("old.pdf", "new.pdf")]

    with pytest.raises(ServiceError, match="reads one document"):
        files_of(ask(messages=parts(*documents)))
    with pytest.raises(ServiceError, match="reads one document"):
        files_of(ask(messages=[*parts(documents[0]), *parts(documents[1])]))
    # A function of its own reads the others, where the model may use those.
    assert len(files_of(ask(messages=parts(*documents), tool_choice=ToolChoice("auto")))) == 2
    assert len(files_of(ask(messages=parts(documents[0], an_image("image/png"), a_sound("wav"))))) == 3
