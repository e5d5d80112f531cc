"""YandexGPT's tokenizer: of a text, and of a whole request with its chat template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from yarl import URL

from services.router.domain.catalog import Model
from services.router.domain.completion import Prompt
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.json_body import encode_body
from services.router.providers.provider import Countable, ProviderCall
from services.router.providers.reading import Replies, read_count
from services.router.providers.transport.http import Reply
from services.router.providers.yandexgpt.request import native_body


class _Token(msgspec.Struct):
    special: bool = False


class _Tokens(msgspec.Struct):
    tokens: list[_Token]


_decode: Final = msgspec.json.Decoder(_Tokens).decode


class NativeTokenizer:
    """Counts tokens as the native API bills them.

    Args:
        base: address of the API.
        ids: read the names of tool calls.
        uri: a model's address.
        post: sends a body under the provider's credentials.
        replies: read its errors.
    """

    def __init__(
        self,
        base: str,
        ids: ToolCallIds,
        uri: Callable[[Model], str],
        post: Callable[[URL, bytes, ProviderCall], Awaitable[Reply]],
        replies: Replies,
    ) -> None:
        self._text_url = URL(f"{base}/foundationModels/v1/tokenize")
        self._prompt_url = URL(f"{base}/foundationModels/v1/tokenizeCompletion")
        self._ids = ids
        self._uri = uri
        self._post = post
        self._replies = replies

    def prompt(self, prompt: Prompt, model: Model) -> Countable:
        """Return the request as it is sent, without the options, which count for nothing."""
        body = native_body(prompt, model, self._uri(model), self._ids, [], stream=False)
        return Countable(self._prompt_url, encode_body(body | {"completionOptions": {}}))

    def text(self, text: str, model: Model) -> Countable:
        """Return the call for a text alone."""
        return Countable(self._text_url, encode_body({"modelUri": self._uri(model), "text": text}))

    async def count(self, asked: Countable, call: ProviderCall) -> int:
        """Return the tokens; the mark at the beginning of a text is a prompt's, and no answer has it.

        Raises:
            ServiceError: it did not count.
        """
        reply = await self._post(asked.url, asked.body, call)
        tokens = read_count(self._replies, reply, _decode).tokens
        if asked.url == self._prompt_url:
            return len(tokens)
        return sum(not token.special for token in tokens)
