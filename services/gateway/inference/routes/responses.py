"""POST /v1/responses: OpenAI's newer form of the same chats, with turns that are remembered for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
from starlette.types import Send

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.clients.completion import Completion, Route
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import send_json
from services.gateway.inference.answer_headers import left_out_headers
from services.gateway.inference.conversation import normalise
from services.gateway.inference.explanation import leave_out
from services.gateway.inference.openai_bodies import encode
from services.gateway.inference.paths import INPUT_TOKENS, RESPONSES
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.prompt_list import PromptList
from services.gateway.inference.responses.bodies import ResponseHead, answered, ended, items_of, response_usage
from services.gateway.inference.responses.conversion import Conversation, to_chat
from services.gateway.inference.responses.frames import ResponseFrames
from services.gateway.inference.responses.kept import KeptResponse, KeptResponses, new_response_id
from services.gateway.inference.responses.references import References
from services.gateway.inference.responses.schemas import ResponsesRequest
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.size.prompt_size import chat_size
from services.gateway.inference.steering.choice import steering_of
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.schemas.inference import ChatMessage


@dataclass(slots=True)
class _Turn:
    """One request, and what is to be kept of it once it is answered."""

    context: RequestContext
    head: ResponseHead
    said: list[ChatMessage]
    kept: KeptResponses
    response: dict[str, Any] = field(default_factory=dict)
    reply: ChatMessage | None = None
    frames: ResponseFrames | None = None

    def render(self, completion: Completion, usage: TokenUsage, cost_micro_rub: int) -> bytes:
        """Return the body of a whole answer."""
        choice = completion.choices[0]
        self.response = ended(
            self.head, choice.finish_reason, items_of(self.head, choice), response_usage(usage, cost_micro_rub)
        )
        self.reply = answered(completion)
        return encode(self.response)

    async def keep(self, last: bytes) -> bytes:
        """Keep the answer for a next turn, before its end is sent: the next turn may follow at once.

        Returns the bytes of its end; where it cannot be kept, they say so.
        """
        if not self.head.request.is_kept or self.reply is None or await self._save(self.reply):
            return last
        self.response["store"] = False
        return encode(self.response) if self.frames is None else self.frames.not_kept(last)

    async def _save(self, reply: ChatMessage) -> bool:
        caller, request = self.context.known_caller, self.head.request
        given = [request.input] if isinstance(request.input, str) else request.input
        items = [msgspec.json.decode(item) if isinstance(item, msgspec.Raw) else _spoken(item) for item in given]
        whole = KeptResponse(self.response, items, [*self.said, reply])
        return await self.kept.save(caller.user_id, caller.grant_id, self.head.id, whole)


def _spoken(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


class _ResponsesRoute(PaidRoute[ResponsesRequest]):
    """What both routes share: what is asked."""

    def __init__(self, path: str, inference: InferenceDependencies, kept: KeptResponses) -> None:
        super().__init__(path, ResponsesRequest, inference)
        self._kept = kept

    async def asked(
        self, context: RequestContext, request: ResponsesRequest
    ) -> tuple[list[ChatMessage], Conversation, PricedRequest]:
        """Return what was said so far, the chat that is asked for, and what it may cost.

        Raises:
            ServiceError: the request is refused.
        """
        steering = steering_of(request, context.known_caller)
        if not isinstance(request.input, str):
            request.input = await References(partial(self._load, context)).replaced(request.input)
        before = await self._before(context, request)
        conversation = to_chat(request, before)
        chat = conversation.chat
        chat.provider = request.provider
        context.field_name = conversation.origins.name
        context.ignored_params.extend(conversation.left_out)
        leave_out(context, chat.provider, normalise(chat).left_out)
        priced = self.inference.pricing.price(
            context,
            request.model,
            kind="chat",
            endpoint="responses",
            size=chat_size(chat),
            steering=steering,
            asked=(chat,),
        )
        return [*before, *conversation.said], conversation, priced

    async def _load(self, context: RequestContext, response_id: str) -> KeptResponse | None:
        caller = context.known_caller
        return await self._kept.load(caller.user_id, caller.grant_id, response_id)

    async def _before(self, context: RequestContext, request: ResponsesRequest) -> list[ChatMessage]:
        """Return what was said in the turns before.

        Raises:
            InvalidRequest: they are not known here.
        """
        if request.previous_response_id is None:
            return []
        kept = await self._load(context, request.previous_response_id)
        if kept is None:
            raise _gone(request.previous_response_id)
        return kept.messages


def _gone(response_id: str) -> InvalidRequest:
    # In OpenAI's words, by which clients know that they must send all that was said.
    text = f"Previous response with id '{response_id[:128]}' not found."
    return InvalidRequest(ErrorReason.PREVIOUS_RESPONSE_NOT_FOUND, text, param="previous_response_id")


class InputTokens(_ResponsesRoute):
    """Says how many tokens a turn would be, by our own count: it costs nothing and asks no provider."""

    is_billed = False

    def __init__(self, inference: InferenceDependencies, kept: KeptResponses) -> None:
        super().__init__(INPUT_TOKENS, inference, kept)

    async def answer(self, context: RequestContext, request: ResponsesRequest, send: Send) -> None:
        """Answer one request."""
        _, _, priced = await self.asked(context, request)
        context.headers.extend(left_out_headers(Route(), context.ignored_params))
        body = {"object": "response.input_tokens", "input_tokens": priced.estimate.input_tokens}
        await send_json(send, 200, encode(body))


class Responses(_ResponsesRoute):
    """Answers one turn."""

    def __init__(self, inference: InferenceDependencies, kept: KeptResponses) -> None:
        super().__init__(RESPONSES, inference, kept)

    def metadata_of(self, request: ResponsesRequest) -> Mapping[str, str] | None:
        """Return the caller's tags."""
        return request.metadata

    async def answer(self, context: RequestContext, request: ResponsesRequest, send: Send) -> None:
        """Answer one request."""
        context.stream = bool(request.stream)
        said, conversation, priced = await self.asked(context, request)
        answers = self.inference.answers
        created = int(priced.at.timestamp())
        head = ResponseHead(new_response_id(context.request_id), created, request, conversation.names)
        turn = _Turn(context, head, said, self._kept)
        prompts = PromptList(self.inference.router, (conversation.chat,))
        if context.stream:
            frames = _KeptFrames(turn)
            await answers.send_stream(context, priced, send, ask=prompts.stream, frames=frames, before_last=turn.keep)
            return
        await answers.send_whole(context, priced, send, ask=prompts.complete, render=turn.render, before_last=turn.keep)


class _KeptFrames(ResponseFrames):
    """The events of a turn that is kept at its end."""

    def __init__(self, turn: _Turn) -> None:
        super().__init__(turn.head)
        self._turn = turn
        turn.frames = self

    def end(self, usage: TokenUsage, cost_micro_rub: int) -> bytes:
        """Return the last events, and note what is to be kept."""
        events = super().end(usage, cost_micro_rub)
        self._turn.response, self._turn.reply = self.response, self.answered()
        return events
