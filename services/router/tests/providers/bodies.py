"""Request bodies as a provider will read them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import ContentPart, Message, Prompt, Role
from services.router.providers.gigachat.request import body_of
from services.router.providers.json_body import encode_body
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.request import OpenAIRequests
from services.router.providers.yandexgpt.quirks import QUIRKS
from services.router.providers.yandexgpt.request import native_body
from services.router.tests.adapters import IDS, MODELS

URI = "gpt://folder/yandexgpt-5-pro"
IMAGE = ContentPart("image_url", json=b'{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}')
AUDIO = ContentPart("input_audio", json=b'{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}')
FILE = ContentPart(
    "file", json=b'{"type":"file","file":{"file_data":"data:text/plain;base64,AAAA","filename":"a.txt"}}'
)


def body(dialect: str, prompt: Prompt, features: frozenset[str] = frozenset()) -> tuple[dict[str, Any], list[str]]:
    """Return the body as the provider will read it, and the dropped parameters."""
    dropped: list[str] = []
    target = replace(MODELS[dialect], features=MODELS[dialect].features | features)
    if dialect == "native":
        made = encode_body(native_body(prompt, target, URI, IDS, dropped, stream=False))
    elif dialect == "gigachat":
        made = encode_body(body_of(prompt, target, {}, IDS, dropped, stream=False))
    else:
        quirks = QUIRKS if dialect == "v1" else Quirks()
        made = OpenAIRequests(dialect, IDS, quirks).body(prompt, target, URI, dropped, stream=False)
    return msgspec.json.decode(made), dropped


def refused(dialect: str, prompt: Prompt) -> tuple[ErrorReason, str | None]:
    with pytest.raises(ServiceError) as caught:
        body(dialect, prompt)
    return caught.value.reason, caught.value.param


def parts(*several: ContentPart) -> list[Message]:
    return [Message(Role.USER, parts=several)]


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties}
    return made | {"required": list(required)} if required else made
