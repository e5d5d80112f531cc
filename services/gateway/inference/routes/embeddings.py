"""POST /v1/embeddings."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.clients.completion import Embeddings
from services.gateway.clients.router import RouterClient
from services.gateway.edge import cancellation as cut
from services.gateway.edge.body import ClientLeft, decode, read_body
from services.gateway.edge.cancellation import OpenCuts
from services.gateway.edge.request_context import Exchange, exchange_of
from services.gateway.edge.respond import send_json
from services.gateway.identity.access import EMBEDDINGS, NEEDS
from services.gateway.inference.estimate import estimate_embedding
from services.gateway.inference.event_writer import Departure
from services.gateway.inference.openai_bodies import embedding_list
from services.gateway.inference.paid_call import Tollgate
from services.gateway.inference.pricing import Fare
from services.gateway.inference.routes.dependencies import Desk
from services.gateway.inference.routes.text_completions import texts_of
from services.gateway.inference.schemas import EmbeddingRequest
from services.gateway.settings import GatewaySettings

_DECODER: Final = msgspec.json.Decoder(EmbeddingRequest)


class EmbeddingsEndpoint:
    """An ASGI endpoint."""

    def __init__(
        self, desk: Desk, tollgate: Tollgate, router: RouterClient, settings: GatewaySettings, cuts: OpenCuts
    ) -> None:
        self._desk = desk
        self._tollgate = tollgate
        self._router = router
        self._settings = settings
        self._cuts = cuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = exchange_of(scope)
        desk = self._desk
        exchange.route = EMBEDDINGS
        await desk.authenticator.enter(exchange, NEEDS[EMBEDDINGS])
        body = await read_body(scope, receive, desk.limits)
        request = decode(_DECODER, body, max_depth=desk.limits.json_depth)
        texts = texts_of(request.input, "input")
        choice, now = desk.choose(exchange, request.model, "embedding")
        fare = Fare(choice, estimate_embedding(texts, choice.model, choice.price), "embeddings", False, now)
        await self._answer(scope, send, exchange, fare, request, texts)

    async def _answer(
        self, scope: Scope, send: Send, exchange: Exchange, fare: Fare, request: EmbeddingRequest, texts: list[str]
    ) -> None:
        async with await self._tollgate.open(exchange, fare) as passage:
            ending = self._cuts.new()
            departure = Departure(scope, ending, fare.model.on_disconnect, self._settings.stream)
            with departure, ending:
                embeddings = await self._embed(exchange, fare, request, texts)
            if ending.cause:
                await passage.interrupt(ending.cause)
                if ending.cause != cut.SHUTDOWN:
                    raise ClientLeft
                raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "This server is being restarted.", retry_after_s=1.0)
            passage.routed(embeddings.route)
            cost = await passage.complete(embeddings.end, "", left=bool(departure.cause))
        exchange.headers.append((b"x-razvilka-cost-micro-rub", str(cost).encode()))
        usage = passage.usage_of(embeddings.end)[0]
        base64 = request.encoding_format == "base64"
        await send_json(
            send,
            200,
            embedding_list(embeddings, model=request.model, usage=usage, cost_micro_rub=cost, base64=base64),
        )

    async def _embed(self, exchange: Exchange, fare: Fare, request: EmbeddingRequest, texts: list[str]) -> Embeddings:
        return await self._router.embed(
            texts,
            fare.model.id,
            dimensions=request.dimensions,
            user=request.user,
            deadline_s=max(0.001, self._settings.request_timeout_s - exchange.elapsed_s),
            call=exchange.call,
        )
