"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's form of the same chats."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial

import msgspec
from starlette.types import Send

from services.gateway.clients.completion import Route
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import send_json
from services.gateway.inference.answer_headers import left_out_headers
from services.gateway.inference.anthropic.bodies import message
from services.gateway.inference.anthropic.conversion import Conversation, to_chat
from services.gateway.inference.anthropic.entering import enter
from services.gateway.inference.anthropic.frames import MessageFrames
from services.gateway.inference.anthropic.schemas import MessagesRequest
from services.gateway.inference.conversation import normalise
from services.gateway.inference.explanation import leave_out
from services.gateway.inference.openai_bodies import AnswerHead, answer_id
from services.gateway.inference.paths import COUNT_TOKENS, MESSAGES
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.prompt_list import PromptList
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.size.prompt_size import chat_size
from services.gateway.inference.steering.choice import steering_of


class _AnthropicRoute(PaidRoute[MessagesRequest]):
    """What both routes share: where the key is, how errors look, what is asked."""

    def __init__(self, path: str, inference: InferenceDependencies) -> None:
        super().__init__(path, MessagesRequest, inference)

    def enter(self, context: RequestContext) -> None:
        """Take the key from `x-api-key` too, and say errors in Anthropic's form."""
        enter(context)

    def asked(self, context: RequestContext, request: MessagesRequest) -> tuple[Conversation, PricedRequest]:
        """Return the chat that is asked for, and what it may cost.

        Raises:
            ServiceError: the request is refused.
        """
        steering = steering_of(request, context.known_caller)
        conversation = to_chat(request)
        chat = conversation.chat
        chat.provider = request.provider
        context.field_name = conversation.origins.name
        context.ignored_params.extend(conversation.left_out)
        leave_out(context, chat.provider, normalise(chat).left_out)
        priced = self.inference.pricing.price(
            context,
            request.model,
            kind="chat",
            endpoint="messages",
            size=chat_size(chat),
            steering=steering,
            asked=(chat,),
        )
        return conversation, priced


class Messages(_AnthropicRoute):
    """Answers a conversation."""

    def __init__(self, inference: InferenceDependencies) -> None:
        super().__init__(MESSAGES, inference)

    def metadata_of(self, request: MessagesRequest) -> Mapping[str, str] | None:
        """Return whom the request is for, the one tag of this form."""
        user_id = request.metadata.user_id if request.metadata is not None else None
        return {"user_id": user_id} if user_id else None

    def answer(self, context: RequestContext, request: MessagesRequest, send: Send) -> Awaitable[None]:
        """Answer one request."""
        if request.max_tokens is None:
            raise invalid_field("max_tokens", "This field is required")
        context.stream = bool(request.stream)
        conversation, priced = self.asked(context, request)
        names = conversation.names
        head = AnswerHead(answer_id("msg_", context.request_id), int(priced.at.timestamp()), request.model)
        prompts, answers = PromptList(self.inference.router, (conversation.chat,)), self.inference.answers
        if context.stream:
            frames = MessageFrames(head, input_tokens=priced.estimate.input_tokens, names=names)
            return answers.send_stream(context, priced, send, ask=prompts.stream, frames=frames)
        return answers.send_whole(
            context, priced, send, ask=prompts.complete, render=partial(message, head=head, names=names)
        )


class CountTokens(_AnthropicRoute):
    """Says how many tokens a conversation would be, by our own count: it costs nothing and asks no provider."""

    is_billed = False

    def __init__(self, inference: InferenceDependencies) -> None:
        super().__init__(COUNT_TOKENS, inference)

    def answer(self, context: RequestContext, request: MessagesRequest, send: Send) -> Awaitable[None]:
        """Answer one request."""
        _, priced = self.asked(context, request)
        context.headers.extend(left_out_headers(Route(), context.ignored_params))
        return send_json(send, 200, msgspec.json.encode({"input_tokens": priced.estimate.input_tokens}))
