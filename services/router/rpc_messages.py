"""razvilka.router.v1 messages <-> values: nothing but conversion."""

from __future__ import annotations

from typing import Final

from razvilka.router.v1 import router_pb2 as pb

from services.router.domain.catalog import BatchShare, Price
from services.router.domain.completion import (
    Completion,
    ContentPart,
    Embeddings,
    End,
    FinishReason,
    Held,
    Message,
    Prompt,
    ResponseFormat,
    Role,
    Route,
    StreamPart,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from services.router.domain.kept_file import KeptFile
from services.router.routing.service import ListedModel
from services.router.routing.tokenizing import CountedTokens, TokenQuestion

ROLES: Final = {
    pb.ROLE_UNSPECIFIED: Role.USER,
    pb.ROLE_SYSTEM: Role.SYSTEM,
    pb.ROLE_USER: Role.USER,
    pb.ROLE_ASSISTANT: Role.ASSISTANT,
    pb.ROLE_TOOL: Role.TOOL,
}
FINISH_REASONS: Final[dict[FinishReason | None, pb.FinishReason.ValueType]] = {
    None: pb.FINISH_REASON_UNSPECIFIED,
    FinishReason.STOP: pb.FINISH_REASON_STOP,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
    FinishReason.TOOL_CALLS: pb.FINISH_REASON_TOOL_CALLS,
    FinishReason.CONTENT_FILTER: pb.FINISH_REASON_CONTENT_FILTER,
}


def question_from_proto(message: pb.CountTokensRequest) -> TokenQuestion:
    """Return what is to be counted."""
    prompt = prompt_from_proto(message.prompt) if message.HasField("prompt") else None
    return TokenQuestion(message.model, tuple(message.texts), prompt, frozenset(message.allowed_models))


def prompt_from_proto(message: pb.Prompt) -> Prompt:
    """Return the prompt; a field that is not set is None."""
    return Prompt(
        model=message.model,
        messages=[message_from_proto(each) for each in message.messages],
        temperature=message.temperature if message.HasField("temperature") else None,
        top_p=message.top_p if message.HasField("top_p") else None,
        max_tokens=message.max_tokens if message.HasField("max_tokens") else None,
        n=message.n if message.HasField("n") else None,
        stop=tuple(message.stop),
        tools=[_tool(tool) for tool in message.tools],
        tool_choice=_tool_choice(message),
        parallel_tool_calls=message.parallel_tool_calls if message.HasField("parallel_tool_calls") else None,
        response_format=_response_format(message),
        reasoning_effort=message.reasoning_effort,
        other_json=dict(message.other_json),
        token_bound=message.token_bound,
        script=message.script,
        schema_bound=message.schema_bound,
        allowed_models=frozenset(message.allowed_models),
        require_parameters=message.require_parameters,
        tenant=message.tenant,
        tier=message.tier,
        candidates=tuple(message.candidates),
        sort=message.sort,
        alone=message.alone,
        held=Held(message.catalog_version, frozenset(message.priced_models)),
        deferral=message.deferral,
        stands_for=message.stands_for,
    )


def message_from_proto(message: pb.Message) -> Message:
    """Return one turn."""
    role = ROLES.get(message.role, Role.USER)
    if not (message.parts or message.tool_calls or message.tool_call_id or message.name or message.reasoning_content):
        return Message(role, message.content)
    return Message(
        role,
        message.content,
        tuple(ContentPart(part.type, part.text, part.json) for part in message.parts),
        message.name,
        tuple(ToolCall(call.id, call.name, call.arguments, call.index) for call in message.tool_calls),
        message.tool_call_id,
        message.reasoning_content,
    )


def _tool(tool: pb.Tool) -> Tool:
    strict = tool.strict if tool.HasField("strict") else None
    return Tool(tool.name, tool.description, tool.parameters_json, strict, dict(tool.other_json))


def _tool_choice(message: pb.Prompt) -> ToolChoice | None:
    if not message.HasField("tool_choice"):
        return None
    return ToolChoice(message.tool_choice.mode, message.tool_choice.function_name)


def _response_format(message: pb.Prompt) -> ResponseFormat | None:
    if not message.HasField("response_format"):
        return None
    wanted = message.response_format
    return ResponseFormat(
        wanted.type, wanted.name, wanted.schema_json, wanted.strict if wanted.HasField("strict") else None
    )


# Answers are written in place: a message that is given to another one's constructor is copied, with all that it has.


def part_to_proto(part: StreamPart) -> pb.StreamResponse:
    """Return one message of a stream. All but the first and the last are deltas and the usage so far."""
    message = pb.StreamResponse()
    if part.route is not None:
        _write_route(part.route, message.route)
    for delta in part.deltas:
        written = message.deltas.add()
        written.content = delta.content
        # Most deltas are a text of the first choice: to set a field to what it is anyway takes as long as to set it.
        if delta.choice_index:
            written.choice_index = delta.choice_index
        if delta.reasoning_content:
            written.reasoning_content = delta.reasoning_content
        if delta.finish_reason is not None:
            written.finish_reason = FINISH_REASONS[delta.finish_reason]
        for call in delta.tool_calls:
            _write_call(call, written.tool_calls.add())
    if part.progress is not None:
        write_usage(part.progress, message.progress)
    if part.end is not None:
        _write_end(part.end, message.end)
    return message


def completion_to_proto(completion: Completion) -> pb.CompleteResponse:
    """Return a whole answer."""
    message = pb.CompleteResponse()
    _write_route(completion.route, message.route)
    for choice in completion.choices:
        written = message.choices.add()
        written.index, written.content = choice.index, choice.content or ""
        written.content_is_null = choice.content is None
        written.reasoning_content = choice.reasoning_content
        written.finish_reason = FINISH_REASONS[choice.finish_reason]
        for call in choice.tool_calls:
            _write_call(call, written.tool_calls.add())
    _write_end(completion.end, message.end)
    return message


def embeddings_to_proto(made: Embeddings) -> pb.EmbedResponse:
    """Return vectors."""
    message = pb.EmbedResponse()
    _write_route(made.route, message.route)
    for index, values in enumerate(made.vectors):
        message.embeddings.add(index=index, values=values)
    _write_end(made.end, message.end)
    return message


def count_to_proto(counted: CountedTokens) -> pb.CountTokensResponse:
    """Return what a tokenizer has counted."""
    message = pb.CountTokensResponse(tokens=counted.tokens)
    _write_route(counted.route, message.route)
    return message


def _write_call(call: ToolCall, into: pb.ToolCall) -> None:
    into.id, into.name, into.arguments, into.index = call.id, call.name, call.arguments, call.index


def _write_route(route: Route, into: pb.Route) -> None:
    into.provider, into.model, into.resolved_model = route.provider, route.model, route.resolved_model
    into.dropped_params.extend(route.dropped_params)
    into.queued_ms, into.stands_in = route.queued_ms, route.stands_in


def write_usage(usage: Usage, into: pb.Usage) -> None:
    """Write token counts."""
    into.prompt_tokens, into.completion_tokens = usage.prompt_tokens, usage.completion_tokens
    into.cached_tokens, into.reasoning_tokens = usage.cached_tokens, usage.reasoning_tokens
    into.tokenized = usage.tokenized


def _write_end(end: End, into: pb.End) -> None:
    if end.usage is not None:
        write_usage(end.usage, into.usage)
    for attempt in end.attempts:
        into.attempts.add(
            provider=attempt.provider,
            model=attempt.model,
            reason=attempt.reason,
            latency_ms=attempt.latency_ms,
            provider_request_id=attempt.provider_request_id,
        )
    into.system_fingerprint = end.system_fingerprint


def model_to_proto(listed: ListedModel) -> pb.Model:
    """Return a model of the catalogue."""
    model = listed.model
    message = pb.Model(
        id=model.id,
        aliases=model.aliases,
        name=model.name,
        provider=model.provider,
        version=model.version,
        resolved_model=model.resolved_model,
        kind=model.kind,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        modality=model.modality,
        supported_features=sorted(model.features),
        supported_parameters=model.supported_parameters,
        default_parameters=model.default_parameters,
        prices=map(_price_to_proto, model.prices),
        description=model.description,
        # Whatever may answer is held for: a canary too.
        fallbacks=[*listed.fallbacks, *([listed.canary] if listed.canary else [])],
        canary=listed.canary,
        successor=model.successor,
        chars_per_token=model.chars_per_token,
        tokens_per_message=model.tokens_per_message,
        on_disconnect=model.on_disconnect,
        bills_input_per_choice=listed.bills_input_per_choice,
        learned_shares=listed.learned_shares,
        writes_schemas_out=listed.writes_schemas_out,
        batch_shares=map(_batch_share_to_proto, model.batch_shares if listed.defers else ()),
    )
    for name in ("shutdown_at", "deprecated_at", "created_at", "resolved_since"):
        if (timestamp := getattr(model, name)) is not None:
            getattr(message, name).FromDatetime(timestamp)
    return message


def _batch_share_to_proto(share: BatchShare) -> pb.BatchShare:
    message = pb.BatchShare(percent=share.percent)
    message.since.FromDatetime(share.since)
    return message


def _price_to_proto(price: Price) -> pb.Price:
    message = pb.Price(
        version=price.version,
        input_micro_rub_per_1k=price.input_micro_rub_per_1k,
        output_micro_rub_per_1k=price.output_micro_rub_per_1k,
        cached_micro_rub_per_1k=price.cached_micro_rub_per_1k,
    )
    message.valid_from.FromDatetime(price.valid_from)
    return message


def file_to_proto(file: KeptFile) -> pb.GetFileResponse:
    """Return a file."""
    message = pb.GetFileResponse(name=file.name, mime=file.mime, size_bytes=file.size_bytes, content=file.content)
    if file.created_at is not None:
        message.created_at.FromDatetime(file.created_at)
    return message
