"""Counts of tokens, as the gateway needs them from the router."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from razvilka.router.v1 import router_pb2 as pb

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.completion import Route
from services.gateway.clients.router.prompt import Asker, to_prompt
from services.gateway.schemas.inference import ChatRequest

DEADLINE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class CountedTokens:
    """Whose tokenizer counted, and the tokens of each text or of the chat; none: nobody's does."""

    route: Route
    tokens: tuple[int, ...]


class TokenClient:
    """Asks for the counts of the providers' tokenizers."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def count(
        self, model: str, texts: Sequence[str], chat: ChatRequest | None, asker: Asker, call: CallContext
    ) -> CountedTokens:
        """Return the tokens of each text, or of the chat when there is one.

        Raises:
            ServiceError: what the router says went wrong.
        """
        prompt = None if chat is None else to_prompt(chat, model, (0, ""), asker, 0)
        request = pb.CountTokensRequest(model=model, texts=texts, prompt=prompt, allowed_models=asker.allowed_models)
        answer = await rpc_client.unary(self._stub.CountTokens, request, deadline_s=DEADLINE_S, call=call)
        route = Route(answer.route.provider, answer.route.model, answer.route.resolved_model)
        return CountedTokens(route, tuple(answer.tokens))
