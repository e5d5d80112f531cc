"""POST /v1/embeddings."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.clients.completion import Embeddings
from services.gateway.clients.router import RouterClient
from services.gateway.edge import cancellation
from services.gateway.edge.body import ClientDisconnected, decode, read_body
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.request_context import RequestContext, context_of
from services.gateway.edge.respond import send_json
from services.gateway.inference.estimate import estimate_embedding
from services.gateway.inference.event_writer import ClientDisconnect
from services.gateway.inference.openai_bodies import embedding_list
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.routes.access import EMBEDDINGS, NEEDS
from services.gateway.inference.routes.dependencies import InferenceDependencies
from services.gateway.inference.routes.text_completions import texts_of
from services.gateway.inference.schemas import EmbeddingRequest
from services.gateway.settings import GatewaySettings

_DECODER: Final = msgspec.json.Decoder(EmbeddingRequest)


class EmbeddingsEndpoint:
    """An ASGI endpoint."""

    def __init__(
        self,
        needs: InferenceDependencies,
        paid_calls: PaidCalls,
        router: RouterClient,
        settings: GatewaySettings,
        cancellations: Cancellations,
    ) -> None:
        self._needs = needs
        self._paid_calls = paid_calls
        self._router = router
        self._settings = settings
        self._cancellations = cancellations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        needs = self._needs
        context.route = EMBEDDINGS
        await needs.authenticator.enter(context, NEEDS[EMBEDDINGS])
        body = await read_body(scope, receive, needs.limits)
        request = decode(_DECODER, body, max_depth=needs.limits.json_depth)
        texts = texts_of(request.input, "input")
        choice, now = needs.choose(context, request.model, "embedding")
        priced = PricedRequest(choice, estimate_embedding(texts, choice.model, choice.price), "embeddings", False, now)
        await self._answer(scope, send, context, priced, request, texts)

    async def _answer(
        self,
        scope: Scope,
        send: Send,
        context: RequestContext,
        priced: PricedRequest,
        request: EmbeddingRequest,
        texts: list[str],
    ) -> None:
        async with await self._paid_calls.open(context, priced) as paid_call:
            ending = self._cancellations.new()
            disconnect = ClientDisconnect(scope, ending, priced.model.on_disconnect, self._settings.stream)
            with disconnect, ending:
                embeddings = await self._embed(context, priced, request, texts)
            if ending.cause:
                await paid_call.interrupt(ending.cause)
                if ending.cause != cancellation.SHUTDOWN:
                    raise ClientDisconnected
                raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "This server is being restarted.", retry_after_s=1.0)
            paid_call.routed(embeddings.route)
            cost = await paid_call.complete(embeddings.end, "", left=bool(disconnect.cause))
        context.headers.append((b"x-razvilka-cost-micro-rub", str(cost).encode()))
        usage = paid_call.usage_of(embeddings.end)[0]
        base64 = request.encoding_format == "base64"
        await send_json(
            send,
            200,
            embedding_list(embeddings, model=request.model, usage=usage, cost_micro_rub=cost, base64=base64),
        )

    async def _embed(
        self, context: RequestContext, priced: PricedRequest, request: EmbeddingRequest, texts: list[str]
    ) -> Embeddings:
        return await self._router.embed(
            texts,
            priced.model.id,
            dimensions=request.dimensions,
            user=request.user,
            deadline_s=max(0.001, self._settings.request_timeout_s - context.elapsed_s),
            call=context.call,
        )
