"""What a provider bills of a request, by the emulator's ground truth, without a network between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from emulator.gigachat import v1_format
from emulator.markers import read_directions
from emulator.openai import format as openai_format
from emulator.toy_model.answer import Ask, compose
from emulator.yandex import native_format
from services.gateway.clients.catalog import Model
from services.gateway.clients.router.prompt import Asker, to_prompt
from services.gateway.inference.size.prompt_size import ENVELOPE_TOKENS, chat_size
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.schemas.inference import ChatRequest
from services.router.domain import catalog
from services.router.domain.completion import Prompt
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.gigachat.function_names import as_taken
from services.router.providers.gigachat.request import body_of
from services.router.providers.openai_dialect.function_names import aliases_of, renamed
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.request import OpenAIRequests
from services.router.providers.yandexgpt.request import native_body
from services.router.rpc_messages import prompt_from_proto

WINDOW: Final = 32_768
LONGEST_ANSWER: Final = 8_192
_IDS: Final = ToolCallIds(b"thirty-two bytes, as keys must be")
_MODEL: Final = catalog.Model("m", "p", "m", (), context_length=WINDOW)
_OPENAI: Final = OpenAIRequests("openai", _IDS, Quirks())


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of provider is asked, and how the emulator reads it; the model as the gateway knows it."""

    body: Callable[[Prompt], bytes]
    read: Callable[[dict[str, Any]], Ask]
    model: Model

    def bill(self, request: ChatRequest) -> TokenUsage:
        """Return what the provider says it used; raises what the emulator's reader raises for a body it refuses."""
        size = chat_size(request)
        bound = size.schemas.bound + ENVELOPE_TOKENS if self.model.writes_schemas_out else 0
        prompt = prompt_from_proto(to_prompt(request, self.model.id, size.lesson, Asker(), bound))
        ask = self.read(json.loads(self.body(prompt)))
        ask.directions = read_directions(ask.prompt)
        answer, n = compose(ask, tokens_per_chunk=4, fault=None), request.n or 1
        calls = n if self.model.bills_input_per_choice else 1
        return TokenUsage(answer.prompt_tokens * calls, answer.completion_tokens * n)


def _native(prompt: Prompt) -> bytes:
    return msgspec.json.encode(native_body(prompt, _MODEL, "gpt://folder/m", _IDS, [], stream=False))


def _gigachat(prompt: Prompt) -> bytes:
    told = renamed(prompt, aliases_of(prompt, as_taken))
    return msgspec.json.encode(body_of(told, _MODEL, {}, _IDS, [], stream=False))


def _openai(prompt: Prompt) -> bytes:
    return _OPENAI.body(prompt, _MODEL, "m", [], stream=False)


def _model(name: str, *, per_choice: bool, writes_out: bool = False) -> Model:
    return Model(
        name,
        name,
        "chat",
        (),
        context_length=WINDOW,
        max_output_tokens=LONGEST_ANSWER,
        chars_per_token=3.5,
        bills_input_per_choice=per_choice,
        writes_schemas_out=writes_out,
    )


DIALECTS: Final = {
    "yandexgpt": Dialect(_native, native_format.read_request, _model("yandexgpt", per_choice=True)),
    "gigachat": Dialect(_gigachat, v1_format.read_request, _model("gigachat", per_choice=True, writes_out=True)),
    "openai": Dialect(_openai, openai_format.read_request, _model("openai", per_choice=False)),
}
