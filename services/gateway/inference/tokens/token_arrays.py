"""The field `input` of embeddings: a text, texts, or the tokens of either."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.inference.texts import texts_of
from services.gateway.inference.tokens.vocabulary import SIZE, Vocabulary, cl100k_base

# As OpenAI has it: so many texts a request, so many tokens a text.
MAX_TEXTS: Final = 2048
MAX_TOKENS: Final = 8192
_TOKENS: Final = msgspec.json.Decoder(list[int])
_DIGITS: Final = frozenset(b"0123456789-")
# What a client says to send text.
REMEDY: Final = "send text; LangChain's `OpenAIEmbeddings` does so with `check_embedding_ctx_length=False`"


async def input_texts(value: str | list[msgspec.Raw]) -> list[str]:
    """Return the texts of `input`; arrays of tokens are read as those of cl100k_base.

    Raises:
        InvalidRequest: empty, mixed, too many, or numbers that are no tokens.
    """
    if isinstance(value, str):
        return texts_of(value, "input")
    if _begins(value[0]) in _DIGITS:
        return [_text(await _vocabulary(), b"[" + b",".join(map(bytes, value)) + b"]", "input")]
    if len(value) > MAX_TEXTS:
        raise invalid_field("input", f"Expected at most {MAX_TEXTS} texts")
    if _begins(value[0]) != ord("["):
        return texts_of(value, "input")
    return await _texts(value)


async def _texts(arrays: list[msgspec.Raw]) -> list[str]:
    vocabulary, texts = await _vocabulary(), list[str]()
    for at, raw in enumerate(arrays):
        texts.append(_text(vocabulary, bytes(raw), f"input[{at}]"))
        # A text takes a millisecond or two; nobody else waits for all of them.
        await asyncio.sleep(0)
    return texts


async def _vocabulary() -> Vocabulary:
    return await asyncio.to_thread(cl100k_base)


def _begins(raw: msgspec.Raw) -> int:
    return bytes(raw).lstrip()[0]


def _text(vocabulary: Vocabulary, raw: bytes, where: str) -> str:
    try:
        tokens = _TOKENS.decode(raw)
    except msgspec.ValidationError:
        raise invalid_field(where, "Expected texts only, or arrays of tokens only") from None
    if len(tokens) > MAX_TOKENS:
        raise invalid_field(where, f"Expected at most {MAX_TOKENS} tokens")
    strange = next((token for token in tokens if not 0 <= token < SIZE), None)
    if strange is not None:
        raise invalid_field(
            where, f"{strange} is no token of cl100k_base, by which arrays of tokens are read: {REMEDY}"
        )
    text = vocabulary.text_of(tokens)
    if not text:
        raise invalid_field(where, "The text is empty")
    return text
