"""Images, audio and documents for GigaChat: uploaded before the call, referenced in it, deleted after it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import aiohttp
import msgspec

from servicekit.errors import NotFound, invalid_parameter
from services.router.domain.completion import ContentPart, Message, Prompt, Role
from services.router.providers import failures
from services.router.providers.gigachat.attached import kinds
from services.router.providers.gigachat.messages import IMAGE_PART, NAME
from services.router.providers.parallel import in_parallel
from services.router.providers.parameters import json_object
from services.router.providers.reading import Replies, check
from services.router.providers.transport.http import Reply
from services.router.providers.transport.web_images import Picture

IMAGES_A_REQUEST: Final = 10
AT_ONCE: Final = 4
_MEGABYTE: Final = 1024 * 1024
_LIMIT_TOGETHER: Final = 80 * _MEGABYTE
_LIMITS: Final = {"image": 15 * _MEGABYTE, "audio": 35 * _MEGABYTE, "text": 40 * _MEGABYTE}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

Post = Callable[[Callable[[], Any]], Awaitable[Reply]]
"""Sends a form to where files are taken; the form is made anew when it is sent again."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be uploaded for one message."""

    message: int
    name: str
    mime: str
    content: bytes
    is_document: bool = False


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An image of a message that is still to be fetched."""

    message: int
    url: str
    param: str


@dataclass(frozen=True, slots=True)
class Made:
    """A file from an earlier answer of the model that is shown to it again."""

    message: int
    file_id: str
    param: str


@dataclass(frozen=True, slots=True)
class AtProvider:
    """A file that is stored at the provider already."""

    message: int
    id: str


@dataclass(frozen=True, slots=True)
class Attached:
    """Ids of a request's files: all by message number, and those that were uploaded for it."""

    by_message: dict[int, list[str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


Own = Callable[[str], UUID | None]
"""Returns the provider's id of a file of the caller's; None when it is none of theirs."""
Elsewhere = Callable[[UUID], Awaitable[Picture | None]]
"""Returns the content of a file that lies under another key; None when it lies under the one that is used."""
Fetch = Callable[[str, str], Awaitable[Picture]]
"""Gets the picture at an address; takes the address and the field that it stands in."""


class _Uploaded(msgspec.Struct):
    id: str


def files_of(prompt: Prompt) -> list[File | WebAddress | Made]:
    """Return the files in the prompt's messages, those at addresses not fetched yet.

    Raises:
        InvalidRequest: a part that cannot be uploaded, or too many.
    """
    files = [
        _file(part, at, _of_turn(message, part, f"messages[{at}].content[{number}]"))
        for at, message in enumerate(prompt.messages)
        for number, part in enumerate(message.parts)
        if part.type != "text"
    ]
    if sum(_images(message) for message in prompt.messages) > IMAGES_A_REQUEST:
        raise failures.unsupported("messages", NAME, f"more than {IMAGES_A_REQUEST} images in a request")
    if sum(isinstance(file, File) and file.is_document for file in files) > 1 and not _may_use_its_own(prompt):
        # Of several it reads the first, and answers as if there were no other.
        raise failures.unsupported("messages", NAME, 'it reads one document; several with `function_call: "auto"`')
    return files


def _may_use_its_own(prompt: Prompt) -> bool:
    """Tell whether the model may use the provider's functions: by one of those it reads further documents."""
    return not prompt.tools and prompt.tool_choice is not None and prompt.tool_choice.mode == "auto"


def _of_turn(message: Message, part: ContentPart, param: str) -> str:
    """Return the path of a part that may hold a file.

    Raises:
        InvalidRequest: it stands where the model would not be shown it.
    """
    if message.role is Role.SYSTEM or message.tool_calls:
        turn = "beside tool calls" if message.tool_calls else "of a system message"
        raise failures.unsupported(f"{param}.type", NAME, f"'{part.type}' parts {turn}")
    return param


async def fetched(
    files: Sequence[File | WebAddress | Made], fetch: Fetch, own: Own, elsewhere: Elsewhere
) -> list[File | AtProvider]:
    """Return the files with their content, or with the id under which the provider has it.

    Raises:
        InvalidRequest: an image cannot be had, a file is not the caller's, or all together are too large.
    """
    had = await in_parallel([_fetched(each, fetch, own, elsewhere) for each in files], AT_ONCE) if files else []
    if sum(len(file.content) for file in had if isinstance(file, File)) > _LIMIT_TOGETHER:
        raise invalid_parameter("messages", f"The files are larger than {_LIMIT_TOGETHER // _MEGABYTE} MB together.")
    return had


async def _fetched(
    file: File | WebAddress | Made, fetch_picture: Fetch, own: Own, elsewhere: Elsewhere
) -> File | AtProvider:
    if isinstance(file, File):
        return file
    if isinstance(file, Made):
        return await _made(file, own, elsewhere)
    picture = await fetch_picture(file.url, file.param)
    return _image(file.message, picture.mime, picture.content, file.param)


async def _made(file: Made, own: Own, elsewhere: Elsewhere) -> File | AtProvider:
    known = own(file.file_id)
    try:
        there = None if known is None else await elsewhere(known)
    except NotFound:
        known = there = None
    if known is None:
        raise invalid_parameter(file.param, "There is no such file.")
    if there is None:
        return AtProvider(file.message, str(known))
    # What it draws is JPEG, whatever it is called when it is read.
    mime = there.mime if kinds.image_kind(there.mime) else "image/jpeg"
    return _image(file.message, mime, there.content, file.param)


def _images(message: Message) -> int:
    return sum(part.type == IMAGE_PART for part in message.parts)


def _file(part: ContentPart, at: int, param: str) -> File | WebAddress | Made:
    given = json_object(part.json, param).get(part.type)
    if not isinstance(given, dict):
        raise invalid_parameter(param, f"'{part.type}' must be an object.")
    if part.type == IMAGE_PART:
        url, where = given.get("url"), f"{param}.image_url.url"
        if isinstance(url, str) and url[:8].lower() == "https://":
            return WebAddress(at, url, where)
        return _image(at, *_data_url(url, where), param)
    if part.type == "input_audio":
        return _sound(at, given, param)
    if part.type == "file" and given.get("file_id"):
        return Made(at, str(given["file_id"]), f"{param}.file.file_id")
    if part.type == "file" and "file_data" in given:
        return _document(at, given, param)
    raise failures.unsupported(f"{param}.type", NAME, f"'{part.type}' parts of this form")


def _sound(at: int, given: dict[str, Any], param: str) -> File:
    form = _of_header(given.get("format", "wav"))[:8]
    mime = kinds.sound_type(form)
    if mime is None:
        raise failures.unsupported(f"{param}.input_audio.format", NAME, f"it takes {kinds.SOUNDS}")
    content = _decoded(given.get("data"), f"{param}.input_audio.data")
    return _checked(File(at, f"sound.{form.lower()}", mime, content), "audio", param)


def _document(at: int, given: dict[str, Any], param: str) -> File:
    where = f"{param}.file.file_data"
    mime, content = _data_url(given["file_data"], where)
    name = _of_header(given.get("filename") or "")[:120]
    kind = kinds.document_kind(mime, name)
    if kind is None:
        raise failures.unsupported(where, NAME, f"it takes {kinds.DOCUMENTS}")
    known, extension = kind
    # It is known by its name, too: one without an ending has its type's.
    named = name if "." in name else f"{name or 'document'}.{extension}"
    return _checked(File(at, named, known, content, is_document=True), "text", param)


def _image(at: int, mime: str, content: bytes, param: str) -> File:
    kind = kinds.image_kind(mime)
    if kind is None:
        raise failures.unsupported(param, NAME, f"it takes {kinds.IMAGES}")
    return _checked(File(at, f"image.{kind[1]}", kind[0], content), "image", param)


def _data_url(url: Any, param: str) -> tuple[str, bytes]:
    """Return type and bytes of a data: URL."""
    if not isinstance(url, str) or not url.startswith("data:"):
        raise failures.unsupported(param, NAME, "give the content as a data: URL, or an image as an https:// address")
    head, _, body = url[5:].partition(",")
    mime, *flags = head.split(";")
    if "base64" not in flags:
        raise invalid_parameter(param, "A data: URL must be in base64.")
    return _of_header(mime or "application/octet-stream"), _decoded(body, param)


def _of_header(given: Any) -> str:
    """Return a name as a header of the form can say it: without line ends and other control characters."""
    return _CONTROL.sub(" ", str(given)).strip()


def _decoded(text: Any, param: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid_parameter(param, "This is not valid base64.") from exc


def _checked(file: File, kind: str, param: str) -> File:
    if not file.content:
        raise invalid_parameter(param, "The file is empty.")
    if len(file.content) > _LIMITS[kind]:
        raise invalid_parameter(param, f"The file is larger than {_LIMITS[kind] // _MEGABYTE} MB.")
    return file


async def upload(files: Sequence[File | AtProvider], attached: Attached, post: Post, replies: Replies) -> None:
    """Upload what is not there yet and note the ids of all.

    Raises:
        ServiceError: the provider took one of them not; those that it took are noted as made all the same.
    """
    ids = await in_parallel([_finished(file, attached, post, replies) for file in files], AT_ONCE) if files else []
    for file, file_id in zip(files, ids, strict=True):
        attached.by_message.setdefault(file.message, []).append(file_id)


async def _finished(file: File | AtProvider, attached: Attached, post: Post, replies: Replies) -> str:
    if isinstance(file, AtProvider):
        return file.id
    sending = asyncio.ensure_future(_upload(file, attached, post, replies))
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        # Another one was refused, or the caller left: the provider keeps this one, and only its answer says under
        # which name it can be deleted.
        await asyncio.wait({sending})
        # Whoever waited has another failure: this one is told to nobody.
        _ = sending.cancelled() or sending.exception()
        raise


async def _upload(file: File, attached: Attached, post: Post, replies: Replies) -> str:

    def form() -> aiohttp.FormData:
        # A form can be sent once only; a replay after a refused token needs another.
        data = aiohttp.FormData()
        data.add_field("file", file.content, filename=file.name, content_type=file.mime)
        data.add_field("purpose", "general")
        return data

    reply = await post(form)
    check(replies, reply)
    try:
        file_id = msgspec.json.decode(reply.body, type=_Uploaded).id
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc
    attached.made.append(file_id)
    return file_id
