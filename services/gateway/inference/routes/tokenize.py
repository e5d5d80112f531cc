"""POST /v1/tokenize: how many tokens a text or a chat is, by the tokenizer of the model's provider; free."""

from __future__ import annotations

from starlette.types import Send

from services.gateway.clients.router.prompt import Asker
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import send_json
from services.gateway.inference.answer_headers import answer_headers
from services.gateway.inference.paths import TOKENIZE
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.tokens.counting import TokenizeRequest, question_of, tokens_body


class Tokenize(PaidRoute[TokenizeRequest]):
    """Counts; where the provider has nothing that counts, our estimate is told and named as one."""

    is_billed = False

    def __init__(self, inference: InferenceDependencies) -> None:
        super().__init__(TOKENIZE, TokenizeRequest, inference)

    async def answer(self, context: RequestContext, request: TokenizeRequest, send: Send) -> None:
        """Answer one request."""
        question = question_of(request)
        if question.chat is None:
            context.call_field("messages", "input")
        priced = self.inference.pricing.price(
            context, request.model, kind="chat", endpoint="tokenize", size=question.size
        )
        caller, model = context.known_caller, priced.model
        async with self.inference.free_calls.open(context, priced):
            counted = await self.inference.router.tokens.count(
                model.id, question.texts, question.chat, Asker(caller.user_id, caller.models), context.call
            )
        context.headers.extend(answer_headers(counted.route, model, context.ignored_params))
        tokens = counted.tokens or question.estimated(model, priced.estimate.input_tokens)
        await send_json(send, 200, tokens_body(request, question, tokens, by_provider=bool(counted.tokens)))
