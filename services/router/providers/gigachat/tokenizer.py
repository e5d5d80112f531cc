"""GigaChat's tokenizer: it counts plain texts, so the catalogue says what the template adds to each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from yarl import URL

from services.router.domain.catalog import Model
from services.router.domain.completion import ContentPart, Prompt
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.gigachat.function_names import as_taken
from services.router.providers.gigachat.request import body_of
from services.router.providers.json_body import encode_body
from services.router.providers.openai_dialect.function_names import aliases_of, renamed
from services.router.providers.provider import Countable, ProviderCall
from services.router.providers.reading import Replies, read_count
from services.router.providers.transport.http import Reply


class _Count(msgspec.Struct):
    tokens: Annotated[int, msgspec.Meta(ge=0)]


_Counts = Annotated[list[_Count], msgspec.Meta(min_length=1)]
_decode: Final[Callable[[bytes], list[_Count]]] = msgspec.json.Decoder(_Counts).decode


class GigaChatTokenizer:
    """Counts tokens as the models do.

    Args:
        base: address of API v1.
        ids: read the names of tool calls.
        post: sends a body under the provider's credentials.
        replies: read its errors.
    """

    def __init__(
        self,
        base: str,
        ids: ToolCallIds,
        post: Callable[[URL, bytes, ProviderCall], Awaitable[Reply]],
        replies: Replies,
    ) -> None:
        self._url = URL(f"{base}/tokens/count")
        self._ids = ids
        self._post = post
        self._replies = replies

    def prompt(self, prompt: Prompt, model: Model) -> Countable | None:
        """Return the texts of a prompt and of its functions; files and schemas of answers are not counted there."""
        if any(_has_file(message.parts) for message in prompt.messages):
            return None
        body = body_of(renamed(prompt, aliases_of(prompt, as_taken)), model, {}, self._ids, [], stream=False)
        if "response_format" in body:
            return None
        return self._asked(list(_texts(body)), model, model.tokens_per_message * len(body["messages"]))

    def text(self, text: str, model: Model) -> Countable:
        """Return the call for a text alone."""
        return self._asked([text], model, 0)

    def _asked(self, texts: Sequence[str], model: Model, template: int) -> Countable:
        return Countable(self._url, encode_body({"model": model.resolved_model, "input": texts}), template)

    async def count(self, asked: Countable, call: ProviderCall) -> int:
        """Return the tokens of all texts.

        Raises:
            ServiceError: it did not count.
        """
        reply = await self._post(asked.url, asked.body, call)
        return asked.template + sum(each.tokens for each in read_count(self._replies, reply, _decode))


def _has_file(parts: Sequence[ContentPart]) -> bool:
    return any(part.type != "text" for part in parts)


def _texts(body: dict[str, Any]) -> Iterator[str]:
    for message in body["messages"]:
        if message["content"]:
            yield message["content"]
        if "function_call" in message:
            yield msgspec.json.encode(message["function_call"]).decode()
    if "functions" in body:
        yield msgspec.json.encode(body["functions"]).decode()
