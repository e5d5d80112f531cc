"""Which models a request is put to: as the catalogue or the caller says, and as fast as they have been lately."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from servicekit.clock import Clock
from services.router.catalog.live import LiveCatalog
from services.router.domain.catalog import Catalog, Model
from services.router.domain.completion import EmbeddingInput, Prompt, Usage
from services.router.domain.routing_policy import candidates, steered
from services.router.domain.speed import Sort, Speeds
from services.router.providers import failures
from services.router.routing.attempts import RoutedRequest, RoutingAttempt
from services.router.routing.limits import Limits


class Choosing:
    """Turns what was asked into a request with candidates, best first."""

    def __init__(self, catalog: LiveCatalog, providers: Collection[str], clock: Clock, limits: Limits) -> None:
        """Take the names of the providers that can be asked: a live view."""
        self._catalog = catalog
        self._providers = providers
        self._clock = clock
        self._limits = limits
        # Apart: of a whole answer the first word comes with the last.
        self.whole = Speeds()
        self.streamed = Speeds()

    def chat(self, prompt: Prompt, request_id: str, remaining_s: float | None, speeds: Speeds) -> RoutedRequest:
        """Return the request of a chat; `speeds` are those of answers of its kind.

        Raises:
            ServiceError: there is no such model, it may not be used, or nobody can be asked for it.
        """
        chosen = self._of_catalog(prompt, "chat", request_id) if not prompt.candidates else self._steered(prompt)
        if prompt.sort:
            chosen = speeds.fastest_first(chosen, _sort(prompt.sort), self._clock.monotonic())
        if prompt.alone:
            chosen = chosen[:1]
        return self._request(chosen, request_id, remaining_s, skips_unsupported=prompt.require_parameters)

    def embedding(self, texts: EmbeddingInput, request_id: str, remaining_s: float | None) -> RoutedRequest:
        """Return the request of vectors.

        Raises:
            ServiceError: as `chat`.
        """
        return self._request(self._of_catalog(texts, "embedding", request_id), request_id, remaining_s)

    def note(self, speeds: Speeds, attempt: RoutingAttempt, began: float, usage: Usage | None) -> None:
        """Remember how fast an answer that has just ended was; `began` is when its first word was there.

        A whole one's words came all the time that was waited for it.
        """
        now, model = self._clock.monotonic(), attempt.model
        speeds.answered(model, (now if began == attempt.began else began) - attempt.began, now)
        if usage is not None:
            speeds.written(model, usage.completion_tokens, now - began, now)

    def _of_catalog(self, asked: Prompt | EmbeddingInput, kind: str, draw: str) -> Sequence[Model]:
        catalog, now = self._now()
        model = _of_kind(catalog.served(asked.model, now), kind)
        return self._askable(candidates(catalog, model, now, asked.allowed_models, draw), model)

    def _steered(self, prompt: Prompt) -> Sequence[Model]:
        catalog, now = self._now()
        chosen = steered(catalog, prompt.candidates, "chat", now, prompt.allowed_models)
        # Where none is left, the first one says why.
        first = chosen[0] if chosen else _of_kind(catalog.served(prompt.candidates[0], now), "chat")
        return self._askable(chosen or candidates(catalog, first, now, prompt.allowed_models)[:1], first)

    def _now(self) -> tuple[Catalog, datetime]:
        return self._catalog.current(), self._clock.now()

    def _askable(self, chosen: Sequence[Model], first: Model) -> Sequence[Model]:
        known = [model for model in chosen if model.provider in self._providers]
        if not known:
            raise failures.no_credentials(first.provider)
        return known

    def _request(
        self, chosen: Sequence[Model], request_id: str, remaining_s: float | None, *, skips_unsupported: bool = False
    ) -> RoutedRequest:
        most_s = self._limits.answer_s if remaining_s is None else min(remaining_s, self._limits.answer_s)
        began = self._clock.monotonic()
        waits_until = None if remaining_s is None else began + remaining_s
        return RoutedRequest(request_id, chosen, began + most_s, waits_until, skips_unsupported=skips_unsupported)


def _sort(name: str) -> Sort:
    try:
        return Sort(name)
    except ValueError as exc:
        raise failures.invalid("provider.sort", f"'{name[:40]}' is none of {', '.join(Sort)}.") from exc


def _of_kind(model: Model, kind: str) -> Model:
    if model.kind != kind:
        raise failures.invalid("model", f"The model '{model.id}' is no {kind} model.")
    return model
