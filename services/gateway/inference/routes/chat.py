"""POST /v1/chat/completions."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from services.gateway.edge.body import decode, read_body
from services.gateway.edge.request_context import context_of
from services.gateway.inference.completions import CompletionService, Job
from services.gateway.inference.conversation import normalise
from services.gateway.inference.estimate import estimate_chat
from services.gateway.inference.event_stream import ChatFrames
from services.gateway.inference.openai_bodies import answer_id, chat_completion
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.routes.access import CHAT, NEEDS
from services.gateway.inference.routes.dependencies import InferenceDependencies
from services.gateway.inference.schemas import ChatRequest

_DECODER: Final = msgspec.json.Decoder(ChatRequest)


class ChatCompletions:
    """An ASGI endpoint: FastAPI's own body parsing would cost as much as everything here."""

    def __init__(self, needs: InferenceDependencies, service: CompletionService) -> None:
        self._needs = needs
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        needs = self._needs
        context.route = CHAT
        await needs.authenticator.enter(context, NEEDS[CHAT])
        body = await read_body(scope, receive, needs.limits)
        request = decode(_DECODER, body, max_depth=needs.limits.json_depth)
        legacy = normalise(request)
        context.stream = bool(request.stream)
        choice, now = needs.choose(context, request.model, "chat")
        estimate = estimate_chat(request, choice.model, choice.price)
        priced = PricedRequest(choice, estimate, "chat.completions", context.stream, now)
        job = Job(scope, send, context, priced, (request,))
        id, created = answer_id("chatcmpl", context.request_id), int(now.timestamp())
        if context.stream:
            include_usage = bool(request.stream_options and request.stream_options.include_usage)
            frames = ChatFrames(id=id, created=created, model=request.model, include_usage=include_usage, legacy=legacy)
            await self._service.stream(job, frames)
            return
        await self._service.answer(
            job,
            lambda completion, usage: chat_completion(
                completion, id=id, created=created, model=request.model, usage=usage, legacy=legacy
            ),
        )
