"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial

from starlette.types import Send

from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.conversation import normalise
from services.gateway.inference.explanation import leave_out
from services.gateway.inference.openai_bodies import AnswerHead, answer_id, chat_completion
from services.gateway.inference.paths import CHAT
from services.gateway.inference.prompt_list import PromptList
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.size.prompt_size import chat_size
from services.gateway.inference.steering.choice import steering_of
from services.gateway.inference.streaming.event_stream import ChatFrames, includes_usage
from services.gateway.inference.tool_use import in_older_form
from services.gateway.schemas.inference import ChatRequest


class ChatCompletions(PaidRoute[ChatRequest]):
    """Answers a conversation."""

    def __init__(self, inference: InferenceDependencies) -> None:
        super().__init__(CHAT, ChatRequest, inference)

    def metadata_of(self, request: ChatRequest) -> Mapping[str, str] | None:
        """Return the caller's tags."""
        return request.metadata

    def answer(self, context: RequestContext, request: ChatRequest, send: Send) -> Awaitable[None]:
        """Answer one request."""
        steering = steering_of(request, context.known_caller)
        chat = normalise(request)
        if request.functions is not None:
            context.field_name = in_older_form
        leave_out(context, request.provider, chat.left_out)
        context.stream = bool(request.stream)
        priced = self.inference.pricing.price(
            context,
            request.model,
            kind="chat",
            endpoint="chat.completions",
            size=chat_size(request),
            steering=steering,
            asked=(request,),
        )
        head = AnswerHead(answer_id("chatcmpl-", context.request_id), int(priced.at.timestamp()), request.model)
        prompts, answers = PromptList(self.inference.router, (request,)), self.inference.answers
        if context.stream:
            frames = ChatFrames(head, include_usage=includes_usage(request.stream_options), legacy=chat.legacy)
            return answers.send_stream(context, priced, send, ask=prompts.stream, frames=frames)
        render = partial(chat_completion, head=head, legacy=chat.legacy)
        return answers.send_whole(context, priced, send, ask=prompts.complete, render=render)
