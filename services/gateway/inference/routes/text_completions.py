"""POST /v1/completions, the older form: a prompt becomes one user message, a list of prompts one answer."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.body import decode, read_body
from services.gateway.edge.request_context import context_of
from services.gateway.inference.completions import CompletionService, Job
from services.gateway.inference.estimate import Estimate, estimate_chat
from services.gateway.inference.event_stream import TextFrames
from services.gateway.inference.openai_bodies import answer_id, text_completion
from services.gateway.inference.pricing import Choice, PricedRequest
from services.gateway.inference.routes.access import COMPLETIONS, NEEDS
from services.gateway.inference.routes.dependencies import InferenceDependencies
from services.gateway.inference.schemas import ChatMessage, ChatRequest, CompletionRequest

_DECODER: Final = msgspec.json.Decoder(CompletionRequest)
_TEXT: Final = msgspec.json.Decoder(str)


class TextCompletions:
    """An ASGI endpoint."""

    def __init__(self, needs: InferenceDependencies, service: CompletionService) -> None:
        self._needs = needs
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        needs = self._needs
        context.route = COMPLETIONS
        await needs.authenticator.enter(context, NEEDS[COMPLETIONS])
        body = await read_body(scope, receive, needs.limits)
        request = decode(_DECODER, body, max_depth=needs.limits.json_depth)
        _refuse_unsupported(request)
        prompts = texts_of(request.prompt, "prompt")
        context.stream = bool(request.stream)
        choice, now = needs.choose(context, request.model, "chat")
        chats = [to_chat(request, prompt) for prompt in prompts]
        priced = PricedRequest(choice, _estimate(chats, choice), "completions", context.stream, now)
        job = Job(scope, send, context, priced, chats)
        id, created = answer_id("cmpl", context.request_id), int(now.timestamp())
        echo = [prompt for prompt in prompts for _ in range(request.n or 1)] if request.echo else []
        if context.stream:
            include_usage = bool(request.stream_options and request.stream_options.include_usage)
            frames = TextFrames(id=id, created=created, model=request.model, include_usage=include_usage, echo=echo)
            await self._service.stream(job, frames)
            return
        await self._service.answer(
            job,
            lambda completion, usage: text_completion(
                completion, id=id, created=created, model=request.model, usage=usage, echo=echo
            ),
        )


def texts_of(value: str | list[msgspec.Raw], field: str) -> list[str]:
    """Return the texts of a field that takes one text or a list of them.

    Raises:
        InvalidRequest: empty, or tokens in place of text.
    """
    texts = [value] if isinstance(value, str) else [_text(raw, f"{field}[{at}]") for at, raw in enumerate(value)]
    for at, text in enumerate(texts):
        if not text:
            where = field if isinstance(value, str) else f"{field}[{at}]"
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"The text is empty (field `{where}`).", param=where)
    return texts


def _text(raw: msgspec.Raw, where: str) -> str:
    try:
        return _TEXT.decode(raw)
    except msgspec.ValidationError:
        pass
    if bytes(raw).lstrip()[:1] in b"-0123456789[":
        raise InvalidRequest(
            ErrorReason.UNSUPPORTED_PARAMETER,
            f"Arrays of tokens are not supported: send text (field `{where}`).",
            param=where,
        )
    raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"Expected `str` (field `{where}`).", param=where)


def _refuse_unsupported(request: CompletionRequest) -> None:
    if request.suffix:
        raise _unsupported("suffix")
    if request.best_of is not None and request.best_of > (request.n or 1):
        raise _unsupported("best_of")
    if request.stream_options is not None and not request.stream:
        raise InvalidRequest(
            ErrorReason.INVALID_PARAMETERS,
            "It is only allowed together with `stream: true` (field `stream_options`).",
            param="stream_options",
        )


def _unsupported(field: str) -> InvalidRequest:
    return InvalidRequest(
        ErrorReason.UNSUPPORTED_PARAMETER, f"This parameter is not supported (field `{field}`).", param=field
    )


def to_chat(request: CompletionRequest, prompt: str) -> ChatRequest:
    """Return one prompt of the older form as a chat."""
    return ChatRequest(
        model=request.model,
        messages=[ChatMessage(role="user", content=prompt)],
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_tokens,
        n=request.n,
        stop=request.stop,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        logit_bias=request.logit_bias,
        # `logprobs: 0` of the older form asks for none; a number asks for that many.
        logprobs=True if request.logprobs else None,
        top_logprobs=request.logprobs or None,
        seed=request.seed,
        user=request.user,
    )


def _estimate(chats: list[ChatRequest], choice: Choice) -> Estimate:
    parts = [estimate_chat(chat, choice.model, choice.price) for chat in chats]
    return Estimate(
        sum(part.input_tokens for part in parts),
        sum(part.output_bound for part in parts),
        sum(part.hold_micro_rub for part in parts),
    )
