"""`X-Session-ID`: GigaChat caches the beginning of a session's prompt and does not bill cached tokens."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from uuid import UUID

import msgspec

from services.router.domain.catalog import Model
from services.router.domain.completion import Message, Prompt, Role
from services.router.providers.gigachat.messages import text_of

HEADER: Final = "X-Session-ID"
_KEY: Final = b"razvilka gigachat session\0"


class SessionIds:
    """Derives session ids from one secret, which replicas share.

    Turns of one conversation begin alike: with its system messages and its first other message, or they have the
    caller's own `prompt_cache_key`. The id is the same for them, another one for another tenant or model, and tells
    nothing of what it was made of.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(_KEY + secret.encode()).digest()

    def of(self, prompt: Prompt, model: Model) -> str:
        """Return the id; empty when it is not known whose prompt it is."""
        if not prompt.tenant:
            return ""
        beginning = _cache_key(prompt) or _beginning(prompt)
        made_of = msgspec.json.encode([prompt.tenant, model.resolved_model, *beginning])
        return str(UUID(bytes=hmac.digest(self._key, made_of, "sha256")[:16], version=4))


def _cache_key(prompt: Prompt) -> tuple[str, ...]:
    raw = prompt.other_json.get("prompt_cache_key")
    return ("key", raw.decode()) if raw else ()


def _beginning(prompt: Prompt) -> tuple[str, ...]:
    system = [message for message in prompt.messages if message.role is Role.SYSTEM]
    first = next((message for message in prompt.messages if message.role is not Role.SYSTEM), None)
    return ("prompt", *(_digest(message) for message in [*system, *([first] if first else [])]))


def _digest(message: Message) -> str:
    pieces = [text_of(message), *(part.json.hex() for part in message.parts if part.json)]
    return hashlib.sha256("\0".join(pieces).encode("utf-8", "replace")).hexdigest()
