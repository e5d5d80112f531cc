"""POST /v1/completions, the older form: a prompt becomes one user message, a list of prompts one answer."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from starlette.types import Send

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.explanation import leave_out
from services.gateway.inference.openai_bodies import AnswerHead, answer_id, text_completion
from services.gateway.inference.paths import COMPLETIONS
from services.gateway.inference.prompt_list import PromptList
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.size.prompt_size import chats_size
from services.gateway.inference.steering.choice import steering_of
from services.gateway.inference.streaming.event_stream import TextFrames, includes_usage
from services.gateway.inference.texts import texts_of
from services.gateway.schemas.inference import ChatMessage, ChatRequest, CompletionRequest


class TextCompletions(PaidRoute[CompletionRequest]):
    """Answers one prompt or several."""

    def __init__(self, inference: InferenceDependencies) -> None:
        super().__init__(COMPLETIONS, CompletionRequest, inference)

    def answer(self, context: RequestContext, request: CompletionRequest, send: Send) -> Awaitable[None]:
        """Answer one request."""
        steering = steering_of(request, context.known_caller)
        _refuse_unsupported(request)
        context.field_name = _as_prompt
        leave_out(context, request.provider)
        prompts = texts_of(request.prompt, "prompt")
        context.stream = bool(request.stream)
        chats = [to_chat(request, prompt) for prompt in prompts]
        priced = self.inference.pricing.price(
            context,
            request.model,
            kind="chat",
            endpoint="completions",
            size=chats_size(chats),
            steering=steering,
            asked=tuple(chats),
        )
        head = AnswerHead(answer_id("cmpl-", context.request_id), int(priced.at.timestamp()), request.model)
        echo = [prompt for prompt in prompts for _ in range(request.n or 1)] if request.echo else []
        asked, answers = PromptList(self.inference.router, chats), self.inference.answers
        if context.stream:
            frames = TextFrames(head, include_usage=includes_usage(request.stream_options), echo=echo)
            return answers.send_stream(context, priced, send, ask=asked.stream, frames=frames)
        render = partial(text_completion, head=head, echo=echo)
        return answers.send_whole(context, priced, send, ask=asked.complete, render=render)


def _refuse_unsupported(request: CompletionRequest) -> None:
    if request.suffix:
        raise _unsupported("suffix")
    if request.best_of is not None and request.best_of > (request.n or 1):
        raise _unsupported("best_of")
    if request.stream_options is not None and not request.stream:
        raise invalid_field("stream_options", "It is only allowed together with `stream: true`")


def _as_prompt(path: str) -> str:
    """Return what a field of the chat that a prompt becomes is called here."""
    if path == "messages" or path.startswith("messages["):
        return "prompt"
    return "logprobs" if path == "top_logprobs" else path


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
        top_logprobs=int(request.logprobs) if request.logprobs else None,
        provider=request.provider,
        seed=request.seed,
        user=request.user,
    )
