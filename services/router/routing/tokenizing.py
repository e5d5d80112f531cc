"""Token counting for callers, by the provider's own tokenizer and cached by hash."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from servicekit.call import TRACEPARENT, current_call
from servicekit.clock import Clock
from services.router.catalog.live import LiveCatalog
from services.router.domain.catalog import Model
from services.router.domain.completion import Prompt, Route
from services.router.domain.routing_policy import candidates
from services.router.providers import failures
from services.router.providers.provider import Countable, Provider, ProviderCall, Tokenizer
from services.router.routing.limits import Limits
from services.router.routing.token_counts import TokenCounts


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """Texts, each counted by itself, or a whole prompt including the chat template."""

    model: str
    texts: Sequence[str]
    prompt: Prompt | None
    allowed_models: Collection[str]


@dataclass(frozen=True, slots=True)
class CountedTokens:
    """The tokens of each text, or of the prompt; None: the provider has no tokenizer for this."""

    route: Route
    tokens: Sequence[int] | None


class Tokenizing:
    """Counts by the model's own tokenizer only: its fallbacks count differently."""

    def __init__(
        self,
        catalog: LiveCatalog,
        providers: Mapping[str, Provider],
        counts: TokenCounts,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._catalog = catalog
        self._providers = providers
        self._counts = counts
        self._clock = clock
        self._limits = limits

    async def count(self, question: TokenQuestion, remaining_s: float | None) -> CountedTokens:
        """Return what the provider counts.

        Raises:
            ServiceError: the model, the caller's rights to it, or the provider.
        """
        model = self._model(question)
        provider = self._providers.get(model.provider)
        if provider is None:
            raise failures.no_credentials(model.provider)
        route = Route(model.provider, model.id, model.resolved_model, ())
        tokenizer = provider.tokenizer(model)
        asked = None if tokenizer is None else _countable(tokenizer, question, model)
        if tokenizer is None or asked is None:
            return CountedTokens(route, None)
        bound_s = self._limits.answer_s if remaining_s is None else min(remaining_s, self._limits.answer_s)
        here = current_call()
        call = ProviderCall(
            model, here.request_id, {TRACEPARENT: here.trace.traceparent}, self._clock.monotonic() + bound_s
        )
        try:
            async with asyncio.timeout(bound_s):
                return CountedTokens(route, await self._counts.of_each(tokenizer, asked, call))
        except TimeoutError as exc:
            raise failures.slow() from exc

    def _model(self, question: TokenQuestion) -> Model:
        catalog, now = self._catalog.current(), self._clock.now()
        asked = catalog.served(question.model, now)
        return candidates(catalog, asked, now, question.allowed_models)[0]


def _countable(tokenizer: Tokenizer, question: TokenQuestion, model: Model) -> Sequence[Countable] | None:
    if question.prompt is None:
        return [tokenizer.text(text, model) for text in question.texts]
    whole = tokenizer.prompt(question.prompt, model)
    return None if whole is None else [whole]
