"""Checked request -> razvilka.router.v1.Prompt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from razvilka.router.v1 import router_pb2 as pb

from services.gateway.schemas.inference import (
    ChatMessage,
    ChatRequest,
    FunctionDefinition,
    NamedToolChoice,
    ResponseFormat,
    Tool,
    other_json,
)

_ROLES: Final = {
    "system": pb.ROLE_SYSTEM,
    "developer": pb.ROLE_SYSTEM,
    "user": pb.ROLE_USER,
    "assistant": pb.ROLE_ASSISTANT,
    "tool": pb.ROLE_TOOL,
}
_PLAIN: Final = frozenset(("user", "system", "developer"))


# The most tokens that the text can be, and the script most of it is in; (0, ""): nothing to learn.
Lesson = tuple[int, str]


class Candidates(NamedTuple):
    """Which models may answer, as the caller steers it.

    Attributes:
        models: ids, first choice first; empty: the catalogue says.
        sort: by what the router has seen of them they are put in order: "latency", "throughput"; empty: as they stand.
        alone: only the first one is asked.
        stands_for: the id of the model whose stand-ins in the catalogue they are, which says their order; empty: the
            caller does.
    """

    models: Sequence[str] = ()
    sort: str = ""
    alone: bool = False
    stands_for: str = ""


UNSTEERED: Final = Candidates()


class Asker(NamedTuple):
    """Who asks.

    Attributes:
        tenant: what is kept between requests is told apart by it, and slots of a provider are shared between tenants.
        allowed_models: what the caller's credential is limited to; empty: no limit.
        candidates: whom it wants to be answered by.
        tier: how large its share is.
        catalog_version: by which the hold was made.
        priced_models: ids that the hold covers.
        deferral: names what nobody waits for; empty: somebody does.
    """

    tenant: str = ""
    allowed_models: Collection[str] = ()
    candidates: Candidates = UNSTEERED
    tier: str = ""
    catalog_version: str = ""
    priced_models: Sequence[str] = ()
    deferral: str = ""


class _PartHead(msgspec.Struct, gc=False):
    """The two fields of a content part that have a place of their own."""

    type: str
    text: str | None = None


_PART: Final = msgspec.json.Decoder(_PartHead)


def to_prompt(request: ChatRequest, model: str, lesson: Lesson, asker: Asker, schema_bound: int) -> pb.Prompt:
    """Return the prompt for the router.

    Args:
        model: the catalogue's id of what was asked.
        asker: who asks.
        schema_bound: the tokens of written-out schemas that the hold covers; 0: it is not known.
    """
    prompt = pb.Prompt(
        model=model,
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        n=request.n,
        parallel_tool_calls=request.parallel_tool_calls,
        reasoning_effort=request.reasoning_effort or "",
        # An empty map is filled by a call of Python's own, like a full one.
        other_json=other_json(request) or None,
        token_bound=lesson[0],
        script=lesson[1],
        allowed_models=asker.allowed_models,
        tenant=asker.tenant,
        tier=asker.tier,
        deferral=asker.deferral,
        require_parameters=request.provider is not None and bool(request.provider.require_parameters),
        schema_bound=schema_bound,
        catalog_version=asker.catalog_version,
        priced_models=asker.priced_models,
        # As their fields: a message that is given to another one's constructor is copied, with all that it has.
        messages=map(_message, request.messages or ()),
    )
    if request.stop:
        prompt.stop.extend([request.stop] if isinstance(request.stop, str) else request.stop)
    if request.tools:
        prompt.tools.extend(_tool(tool) for tool in request.functions_offered)
    if isinstance(request.tool_choice, str | NamedToolChoice):
        prompt.tool_choice.CopyFrom(_tool_choice(request.tool_choice))
    if request.response_format is not None:
        prompt.response_format.CopyFrom(_response_format(request.response_format))
    if asker.candidates is not UNSTEERED:
        prompt.candidates.extend(asker.candidates.models)
        prompt.sort, prompt.alone = asker.candidates.sort, asker.candidates.alone
        prompt.stands_for = asker.candidates.stands_for
    return prompt


def _message(message: ChatMessage) -> Any:
    content = message.content
    fields: dict[str, Any] = {"role": _ROLES[message.role], "content": content, "name": message.name}
    if type(content) is str and message.tool_calls is None and message.role in _PLAIN:
        return fields
    fields["tool_call_id"] = message.tool_call_id
    if type(content) is list:
        fields["content"], fields["parts"] = None, list(map(_part, content))
    fields["tool_calls"] = [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments, "index": index}
        for index, call in enumerate(message.tool_calls or ())
    ]
    fields["reasoning_content"] = message.reasoning_content
    return fields


def _part(raw: msgspec.Raw) -> dict[str, Any]:
    head = _PART.decode(raw)
    if head.type == "text":
        return {"type": "text", "text": head.text or ""}
    return {"type": head.type, "json": bytes(raw)}


def _tool(tool: Tool) -> pb.Tool:
    function = tool.function
    return pb.Tool(
        name=function.name,
        description=function.description or "",
        parameters_json=msgspec.json.encode(function.parameters) if function.parameters is not None else b"",
        strict=function.strict,
        other_json=_own(function),
    )


def _own(function: FunctionDefinition) -> dict[str, bytes]:
    own = {"few_shot_examples": function.few_shot_examples, "return_parameters": function.return_parameters}
    return {name: msgspec.json.encode(value) for name, value in own.items() if value is not None}


def _tool_choice(choice: str | NamedToolChoice) -> pb.ToolChoice:
    if isinstance(choice, NamedToolChoice):
        return pb.ToolChoice(mode="function", function_name=choice.function.name)
    return pb.ToolChoice(mode=choice)


def _response_format(form: ResponseFormat) -> pb.ResponseFormat:
    schema = form.json_schema
    if schema is None:
        return pb.ResponseFormat(type=form.type)
    return pb.ResponseFormat(
        type=form.type,
        name=schema.name,
        schema_json=msgspec.json.encode(schema.schema) if schema.schema is not None else b"",
        strict=schema.strict,
    )
