"""A digest that is the same for the same prompt of the same user, and what the prompt asks for.

The digest is an HMAC under a key of the user's own, which is derived from a secret of the gateways: who has the rows
but not the secret can neither find out a prompt by trying nor compare the prompts of two users.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from operator import attrgetter
from typing import Any, Final

import msgspec

from services.gateway.edge.reading.heavy_step import heavy_step
from services.gateway.inference.pricing import PricedRequest
from services.gateway.metering.usage_record import Trait
from services.gateway.schemas.inference import ChatRequest

DIGEST_BYTES: Final = 16
# Who is asked, how the answer is sent, for whom and where it is cached: the prompt is the same.
_ASIDE: Final = {
    "metadata",
    "model",
    "models",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "route",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "user",
}
# Older forms of what stands in newer fields by now.
_OLDER: Final = {"function_call", "functions", "prompt"}
# Users whose keys are remembered: deriving one costs as much as a digest.
_KEYS: Final = 4096
# What is hashed in no time, in characters.
_SMALL: Final = 64 * 1024

_encode: Final = msgspec.json.Encoder().encode


class PromptMarks:
    """Makes them; without a secret there are no digests."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._key_of = lru_cache(_KEYS)(self._derived_key)

    async def digest(self, user_id: str, priced: PricedRequest) -> bytes:
        """Return the digest of what is asked, 16 bytes; empty where none is to be made."""
        if not self._secret or not priced.asked:
            return b""
        make = partial(self._digest, user_id, priced.asked)
        return make() if priced.size.text.chars <= _SMALL else await heavy_step(make)

    def _digest(self, user_id: str, asked: Sequence[msgspec.Struct]) -> bytes:
        return hmac.digest(self._key_of(user_id), said_in(asked), "sha256")[:DIGEST_BYTES]

    def _derived_key(self, user_id: str) -> bytes:
        return hmac.digest(self._secret, b"prompt digest\0" + user_id.encode(), "sha256")


def said_in(asked: Sequence[msgspec.Struct]) -> bytes:
    """Return what is hashed of the prompts of one request.

    They differ in their messages only: what they share is said once, else 128 times as much would be written out.
    """
    first, *others = asked
    messages = [each.messages for each in others if isinstance(each, ChatRequest)]
    return _encode([_parameters(type(first))(first), *messages])


@cache
def _parameters(kind: type[msgspec.Struct]) -> Callable[[Any], Any]:
    return attrgetter(*[name for name in kind.__struct_fields__ if name not in _ASIDE | _OLDER])


def traits_of(priced: PricedRequest) -> int:
    """Return the bits of what is asked for."""
    first = priced.asked[0] if priced.asked else None
    if not isinstance(first, ChatRequest):
        return 0
    traits = Trait.TOOLS.value if first.tools else 0
    if first.temperature == 0:
        traits |= Trait.TEMPERATURE_ZERO.value
    if priced.size.images:
        traits |= Trait.IMAGES.value
    if first.response_format is not None and first.response_format.type != "text":
        traits |= Trait.SCHEMA.value
    return traits
