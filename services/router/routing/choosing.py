"""Chooses the candidate models of a request: by the catalogue, the caller's preferences and recent speed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from services.router.catalog.live import LiveCatalog
from services.router.domain.canary import Draw, drawn
from services.router.domain.catalog import Catalog, Model
from services.router.domain.completion import EmbeddingInput, Prompt, Usage
from services.router.domain.routing_policy import candidates, is_allowed, steered
from services.router.domain.speed import Sort, Speeds
from services.router.providers import failures
from services.router.routing.limits import Limits
from services.router.routing.routed_request import RoutedRequest
from services.router.routing.routing_attempt import RoutingAttempt
from services.router.slots.asker import Asker
from services.router.status.canaries import Canaries, Trial

# For a deferred call whose caller has not said until when it waits.
DEFERRED_S: Final = 3600.0


class Choosing:
    """Turns a request into one with candidates, best first."""

    def __init__(self, catalog: LiveCatalog, providers: Collection[str], clock: Clock, limits: Limits) -> None:
        """Take the names of the providers that can be asked: a live view."""
        self._catalog = catalog
        self._providers = providers
        self._clock = clock
        self._limits = limits
        # Apart: of a whole answer the first word comes with the last.
        self.whole = Speeds()
        self.streamed = Speeds()
        self.canaries = Canaries()

    def chat(self, prompt: Prompt, request_id: str, remaining_s: float | None, speeds: Speeds) -> RoutedRequest:
        """Return the request of a chat; `speeds` are those of answers of its kind.

        Raises:
            ServiceError: there is no such model, it may not be used, or nobody can be asked for it.
        """
        chosen, trial = self._steered(prompt, request_id) if prompt.candidates else self._drawn(prompt, request_id)
        if prompt.sort:
            chosen = speeds.fastest_first(chosen, _sort(prompt.sort), self._clock.monotonic())
        if prompt.alone:
            chosen = chosen[:1]
        request = self._request(prompt, chosen, request_id, remaining_s)
        request.trial, request.skips_unsupported, request.choices = trial, prompt.require_parameters, prompt.n or 1
        return request

    def embedding(self, texts: EmbeddingInput, request_id: str, remaining_s: float | None) -> RoutedRequest:
        """Return the request of vectors.

        Raises:
            ServiceError: as `chat`.
        """
        catalog, now = self._now()
        model = _of_kind(catalog.served(texts.model, now), "embedding")
        covered = texts.held.covered(catalog.version)
        known = candidates(catalog, model, now, texts.allowed_models, request_id, covered=covered)
        chosen = self._askable(known, model)
        return self._request(texts, chosen, request_id, remaining_s)

    def note(self, speeds: Speeds, attempt: RoutingAttempt, began: float, usage: Usage | None) -> None:
        """Remember how fast an answer that has just ended was, and to a canary how long.

        Args:
            speeds: those of answers of its kind.
            began: when its first word was there; a whole one's words came all the time that was waited for it.
        """
        now, model = self._clock.monotonic(), attempt.model
        if attempt.request.trial is not None:
            attempt.request.trial.ended(model, usage, self._clock.now())
        speeds.answered(model, (now if began == attempt.began else began) - attempt.began, now)
        if usage is not None:
            speeds.written(model, usage.completion_tokens, now - began, now)

    def _drawn(self, prompt: Prompt, request_id: str) -> tuple[Sequence[Model], Trial | None]:
        """Return what the catalogue says, and the trial that the request is part of."""
        catalog, now = self._now()
        model = _of_kind(catalog.served(prompt.model, now), "chat")
        covered, side = prompt.held.covered(catalog.version), None
        # Of another version of the catalogue nobody knows whether the hold covers a canary.
        if model.canary is not None and not covered:
            side = drawn(catalog, model, now, prompt.allowed_models, _draw(prompt, request_id))
        first = None if side is None else side.model
        known = candidates(catalog, model, now, prompt.allowed_models, request_id, first, covered)
        return self._askable(known, model), None if side is None else self.canaries.trial(model.id, side)

    def _steered(self, prompt: Prompt, request_id: str) -> tuple[Sequence[Model], None]:
        catalog, now = self._now()
        asked = catalog.find(prompt.stands_for) if prompt.stands_for else None
        if asked is not None and asked.kind == "chat" and is_allowed(asked, prompt.allowed_models):
            left = frozenset(prompt.candidates)
            chosen = candidates(catalog, asked, now, prompt.allowed_models, request_id, covered=left)
        else:
            chosen = steered(catalog, prompt.candidates, "chat", now, prompt.allowed_models)
        # Where none is left, the first one says why.
        first = chosen[0] if chosen else _of_kind(catalog.served(prompt.candidates[0], now), "chat")
        return self._askable(chosen or candidates(catalog, first, now, prompt.allowed_models)[:1], first), None

    def _now(self) -> tuple[Catalog, datetime]:
        return self._catalog.current(), self._clock.now()

    def _askable(self, chosen: Sequence[Model], first: Model) -> Sequence[Model]:
        known = [model for model in chosen if model.provider in self._providers]
        if not known:
            raise failures.no_credentials(first.provider)
        return known

    def _request(
        self, asked: Prompt | EmbeddingInput, chosen: Sequence[Model], request_id: str, remaining_s: float | None
    ) -> RoutedRequest:
        deferral = asked.deferral if isinstance(asked, Prompt) else ""
        # A provider that answers later says itself how much later.
        longest_s = remaining_s or DEFERRED_S if deferral else self._limits.answer_s
        most_s = longest_s if remaining_s is None else min(remaining_s, longest_s)
        began = self._clock.monotonic()
        waits_until = None if remaining_s is None else began + remaining_s
        # In the line for slots, what a user has deferred does not hold up what the same user waits for.
        asker = Asker(f"{asked.tenant} deferred" if deferral else asked.tenant, asked.tier)
        tools = [tool.name for tool in asked.tools] if isinstance(asked, Prompt) else ()
        return RoutedRequest(
            request_id, chosen, began + most_s, waits_until, asker=asker, deferral=deferral, tool_names=tools
        )


def _draw(prompt: Prompt, request_id: str) -> Draw:
    session = prompt.other_json.get("prompt_cache_key", b"")
    return Draw(prompt.tenant, session.decode("utf-8", "replace"), request_id)


def _sort(name: str) -> Sort:
    try:
        return Sort(name)
    except ValueError as exc:
        raise invalid_parameter("provider.sort", f"'{name[:40]}' is none of {', '.join(Sort)}.") from exc


def _of_kind(model: Model, kind: str) -> Model:
    if model.kind != kind:
        raise invalid_parameter("model", f"The model '{model.id}' is no {kind} model.")
    return model
