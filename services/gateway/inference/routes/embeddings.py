"""POST /v1/embeddings."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from typing import Final

from starlette.types import Send

from services.gateway.clients.completion import Embeddings
from services.gateway.clients.router.prompt import Asker
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.explanation import leave_out
from services.gateway.inference.openai_bodies import embedding_list
from services.gateway.inference.paid_call import PaidCall
from services.gateway.inference.paths import EMBEDDINGS
from services.gateway.inference.prompt_list import asker_of
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.size.prompt_size import embedding_size
from services.gateway.inference.steering.choice import preferred
from services.gateway.inference.tokens.token_arrays import input_texts
from services.gateway.schemas.inference import EmbeddingRequest
from services.gateway.schemas.steering import requires_all

TOKEN_FACTOR: Final = 4


class EmbeddingsRoute(PaidRoute[EmbeddingRequest]):
    """Answers texts with vectors."""

    def __init__(self, inference: InferenceDependencies) -> None:
        super().__init__(EMBEDDINGS, EmbeddingRequest, inference)
        # Clients send tokens, each an element: a batch of texts is many.
        self._limits = replace(self._limits, elements=TOKEN_FACTOR * self._limits.elements)

    async def answer(self, context: RequestContext, request: EmbeddingRequest, send: Send) -> None:
        """Answer one request."""
        # As providers' adapters call what is too long, whoever asked for it.
        context.call_field("messages", "input")
        texts = await input_texts(request.input)
        leave_out(context, request.provider)
        priced = self.inference.pricing.price(
            context,
            request.model,
            kind="embedding",
            endpoint="embeddings",
            size=embedding_size(texts),
            steering=preferred(request.provider),
            asked=(request,),
        )
        render = partial(embedding_list, model=request.model, base64=request.encoding_format == "base64")
        ask = partial(self._embed, texts, request)
        await self.inference.answers.send_whole(context, priced, send, ask=ask, render=render)

    def _embed(self, texts: list[str], request: EmbeddingRequest, call: PaidCall) -> Awaitable[Embeddings]:
        return self.inference.router.embed(
            texts,
            call.priced.model.id,
            dimensions=request.dimensions,
            user=request.user,
            deadline_s=call.deadline_s,
            call=call.context.call,
            asker=_asker(call),
            require_parameters=requires_all(request.provider),
        )


def _asker(call: PaidCall) -> Asker:
    asker = asker_of(call)
    # The caller's own choice is among what its credential may use.
    return asker._replace(allowed_models=call.priced.steered.models or asker.allowed_models)
