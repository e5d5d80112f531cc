"""Builds requests in the OpenAI dialect, without what a provider cannot take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from services.router.domain.catalog import Model
from services.router.domain.completion import ContentPart, Message, Prompt, Role
from services.router.domain.stop_sequences import MOST_NATIVE
from services.router.domain.tool_call_id import OfferedNames, ToolCallIds, of_length, shortened
from services.router.providers import failures
from services.router.providers.json_body import encode_body
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.parameters import (
    IDS,
    KEPT_WITH_THE_ROW,
    clamped,
    effort_within,
    id_that_fits,
    is_given,
    json_object,
    json_value,
    name_own,
    name_thoughts,
)

# What the answer would have is not carried on to the caller, whoever makes it; and what only GigaChat knows: OpenAI
# refuses names of fields that it does not.
UNTOLD: Final = frozenset(
    {"logprobs", "top_logprobs"} | {"flags", "function_ranker", "profanity_check", "update_interval"}
)


class OpenAIRequests:
    """Builds requests for one provider."""

    def __init__(self, name: str, ids: ToolCallIds, quirks: Quirks) -> None:
        self._name = name
        self._ids = ids
        self._quirks = quirks

    def body(self, prompt: Prompt, model: Model, wire_model: str, dropped: list[str], *, stream: bool) -> bytes:
        """Return the request body; what is left out is named in `dropped`.

        Raises:
            InvalidRequest: something that this speaker cannot take.
        """
        foreign_id = self._foreign_ids(prompt)
        body: dict[str, Any] = {
            "model": wire_model,
            "messages": [self._message(each, at, model, foreign_id) for at, each in enumerate(prompt.messages)],
            **self._others(prompt, dropped),
        }
        if not self._quirks.thoughts:
            name_thoughts(prompt, dropped)
        self._scalars(prompt, model, body, dropped)
        self._tools(prompt, body, dropped)
        if prompt.response_format is not None:
            body["response_format"] = _response_format(prompt)
        if stream:
            body["stream"] = True
            if self._quirks.asks_for_usage:
                body["stream_options"] = {"include_usage": True}
        return encode_body(body)

    def _others(self, prompt: Prompt, dropped: list[str]) -> dict[str, Any]:
        passed: dict[str, Any] = {}
        for name, raw in prompt.other_json.items():
            if not is_given(name, raw):
                continue
            if name in self._quirks.rejects or name == "audio" or (name == "modalities" and b'"audio"' in raw):
                raise failures.unsupported(name, self._name)
            if name in UNTOLD or (self._quirks.takes is not None and name not in self._quirks.takes):
                if name not in KEPT_WITH_THE_ROW:
                    dropped.append(name)
            else:
                passed[name] = json_value(raw, name)
        if passed.get("store") is not True:
            # OpenAI takes it with answers that it is to keep, and refuses it else.
            passed.pop("metadata", None)
        return {name: id_that_fits(value) if name in IDS else value for name, value in passed.items()}

    def _scalars(self, prompt: Prompt, model: Model, body: dict[str, Any], dropped: list[str]) -> None:
        if prompt.temperature is not None:
            body["temperature"] = clamped("temperature", prompt.temperature, 0.0, self._quirks.hottest, dropped)
        if prompt.top_p is not None:
            body["top_p"] = prompt.top_p
        if prompt.max_tokens is not None:
            body[self._quirks.longest_answer] = prompt.max_tokens
        if prompt.stop and self._quirks.native_stop:
            body["stop"] = list(prompt.stop[:MOST_NATIVE])
        if prompt.n is not None and prompt.n > 1 and self._quirks.native_choices:
            body["n"] = prompt.n
        if prompt.reasoning_effort:
            body.update(self._effort(prompt.reasoning_effort, model, dropped))

    def _effort(self, effort: str, model: Model, dropped: list[str]) -> dict[str, str]:
        if "reasoning" not in model.features:
            # A model that does not think refuses any, `none` too; /v1/messages tells one unasked.
            dropped.append("reasoning_effort")
            return {}
        if not self._quirks.efforts:
            return {"reasoning_effort": effort}
        return {"reasoning_effort": effort_within(effort, self._quirks.efforts, dropped)}

    def _tools(self, prompt: Prompt, body: dict[str, Any], dropped: list[str]) -> None:
        if not prompt.tools:
            return
        body["tools"] = [_tool(tool, at) for at, tool in enumerate(prompt.tools)]
        choice = prompt.tool_choice
        if choice is not None:
            named = {"type": "function", "function": {"name": choice.function_name}}
            body["tool_choice"] = named if choice.mode == "function" else choice.mode
        if prompt.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = prompt.parallel_tool_calls
        name_own(prompt.tools, dropped)

    def _message(self, message: Message, at: int, model: Model, foreign_id: Callable[[str], str]) -> dict[str, Any]:
        content = self._of_parts(message.parts, at, model) if message.parts else message.content
        said: dict[str, Any] = {"role": message.role, "content": content}
        if message.name:
            said["name"] = message.name
        if message.reasoning_content and self._quirks.thoughts:
            said[self._quirks.thoughts] = message.reasoning_content
        if message.role is Role.TOOL:
            said["tool_call_id"] = foreign_id(message.tool_call_id)
        if message.tool_calls:
            said["tool_calls"] = [
                {
                    "id": foreign_id(call.id),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in message.tool_calls
            ]
            said["content"] = content or None
        return said

    def _foreign_ids(self, prompt: Prompt) -> Callable[[str], str]:
        """Return what makes an id one that the speaker takes: a short one, or the name of the function called."""
        if self._quirks.call_id_length:
            return partial(of_length, length=self._quirks.call_id_length)
        if self._quirks.own_call_ids:
            return shortened
        ids = self._ids.of(prompt.tenant)
        called = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
        offered = OfferedNames(ids, [tool.name for tool in prompt.tools])
        return lambda call_id: called.get(call_id) or offered.of(call_id) or call_id

    def _of_parts(self, given: Sequence[ContentPart], at: int, model: Model) -> str | list[Any]:
        parts: list[Any] = []
        for number, part in enumerate(given):
            if part.type == "text":
                parts.append({"type": "text", "text": part.text})
                continue
            param = f"messages[{at}].content[{number}].type"
            if part.type == "image_url" and "vision" not in model.features:
                raise failures.unsupported(param, model.id, "this model sees no images")
            if part.type != "image_url" and not self._quirks.takes_other_parts:
                raise failures.unsupported(param, self._name, f"'{part.type}' parts")
            parts.append(json_object(part.json, param))
        if all(part.type == "text" for part in given):
            return "\n".join(part.text for part in given)
        return parts


def _tool(tool: Any, at: int) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json:
        function["parameters"] = json_object(tool.parameters_json, f"tools[{at}].function.parameters")
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _response_format(prompt: Prompt) -> dict[str, Any]:
    wanted = prompt.response_format
    if wanted is None or wanted.type != "json_schema":
        return {"type": wanted.type if wanted else "text"}
    schema: dict[str, Any] = {
        "name": wanted.name or "answer",
        "schema": json_object(wanted.schema_json, "response_format.json_schema.schema"),
    }
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}
