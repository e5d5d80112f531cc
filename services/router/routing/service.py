"""The router's use cases: whole and streamed answers, embeddings, the catalogue, provider status."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from servicekit.clock import Clock
from servicekit.errors import ServiceError, invalid_parameter
from services.router import metrics
from services.router.catalog.live import LiveCatalog
from services.router.domain.catalog import Catalog, Model
from services.router.domain.completion import (
    Batch,
    Completion,
    Delta,
    EmbeddingInput,
    Embeddings,
    End,
    Prompt,
    Route,
    StreamPart,
    Usage,
)
from services.router.domain.routing_policy import stand_ins
from services.router.domain.token_shares import TokenShares
from services.router.providers import failures
from services.router.providers.provider import Provider, ProviderCall
from services.router.providers.reading import as_batch
from services.router.routing.answers import streamed, whole
from services.router.routing.attempts import Answered, Attempts
from services.router.routing.choosing import Choosing
from services.router.routing.limits import Limits
from services.router.routing.progress import Progress
from services.router.routing.routing_attempt import RoutingAttempt
from services.router.routing.token_counts import TokenCounts
from services.router.status.canaries import Side
from services.router.status.domain.health import ModelHealth
from services.router.status.reporter import StatusReporter


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that can be requested, with what is needed to hold money for a request.

    Attributes:
        bills_input_per_choice: n choices are n calls, each of which reads the input.
        writes_schemas_out: its provider's adapter writes references and unions of schemas out.
        learned_shares: by script, see `domain.token_shares`.
        defers: its provider takes a call now and answers it later, for less.
        fallbacks: ids of those that stand in for it, higher priority first.
        canary: the id of the other version that answers some of its callers, unless it stands in as well; empty: none.
    """

    model: Model
    bills_input_per_choice: bool
    writes_schemas_out: bool
    learned_shares: Mapping[str, float]
    defers: bool = False
    fallbacks: Sequence[str] = ()
    canary: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The catalogue in force; the version changes with anything in it. `refused` lists what was not applied."""

    models: Sequence[ListedModel]
    version: str
    refused: Sequence[str]


class _Opened:
    """A stream that has its first content, with the batches read so far."""

    __slots__ = ("batches", "first")

    def __init__(self, batches: AsyncGenerator[Batch, None], first: list[Batch]) -> None:
        self.batches = batches
        self.first = first


class RouterService:
    """Answers requests using the catalogue in force."""

    def __init__(
        self, catalog: LiveCatalog, attempts: Attempts, statuses: StatusReporter, clock: Clock, limits: Limits
    ) -> None:
        self._catalog = catalog
        self._attempts = attempts
        self._statuses = statuses
        self._clock = clock
        self._limits = limits
        self._shares = TokenShares()
        self._choosing = Choosing(catalog, attempts.providers, clock, limits)
        self.counts = TokenCounts(limits, clock)

    async def complete(self, prompt: Prompt, request_id: str, remaining_s: float | None) -> Completion:
        """Return one whole chat completion.

        Raises:
            ServiceError: the model, the request, or every provider tried.
        """
        request = self._choosing.chat(prompt, request_id, remaining_s, self._choosing.whole)
        self._check(prompt)
        answered = await self._attempts.first_that_works(request, lambda asked, call: whole(asked, prompt, call))
        attempt, answer = answered.attempt, answered.result
        self._attempts.close(attempt, "")
        self._choosing.note(self._choosing.whole, attempt, attempt.began, answer.usage)
        self._learn(prompt, attempt.model, answer.usage)
        usage = answer.usage or await self._counted(prompt, attempt, as_batch(answer).deltas)
        return Completion(_route(attempt), answer.choices, _end(attempt, usage))

    async def stream(
        self, prompt: Prompt, request_id: str, remaining_s: float | None
    ) -> AsyncGenerator[StreamPart, None]:
        """Return one chat completion as it is made: the route comes first, the end with the last part.

        It returns when there is content; closing the generator closes the provider's connection.

        What piles up at the provider's connection while a part is being sent is read at once and sent as one part.

        Raises:
            ServiceError: as `complete` until the first part; later, when the answer breaks off.
        """
        request = self._choosing.chat(prompt, request_id, remaining_s, self._choosing.streamed)
        self._check(prompt)
        answered = await self._attempts.first_that_works(request, lambda asked, call: self._open(asked, prompt, call))
        return self._parts(prompt, answered, self._clock.monotonic())

    async def _open(self, provider: Provider, prompt: Prompt, call: ProviderCall) -> _Opened:
        """Read until there is content: until then the caller has seen nothing and another model may answer."""
        read: list[Batch] = []
        bound = asyncio.timeout(self._limits.first_token_s)
        call.on_whole = lambda: bound.reschedule(None)
        batches = streamed(provider, prompt, call)
        try:
            async with bound:
                async for batch in batches:
                    read.append(batch)
                    if batch.deltas:
                        return _Opened(batches, read)
        except TimeoutError as exc:
            await batches.aclose()
            raise failures.slow("The provider began no answer in time.") from exc
        except BaseException:
            await batches.aclose()
            raise
        raise failures.broken("The provider's answer is empty.")

    async def _parts(
        self, prompt: Prompt, answered: Answered[_Opened], began: float
    ) -> AsyncGenerator[StreamPart, None]:
        attempt, opened = answered.attempt, answered.result
        progress = Progress(prompt.n or 1, _route(attempt))
        try:
            async with self._closing(attempt, opened.batches):
                for batch in opened.first:
                    progress.add(batch)
                if not progress.is_ending:
                    yield progress.take()
                async for batch in opened.batches:
                    progress.add(batch)
                    # The last deltas wait for the end: one message instead of two.
                    if part := progress.next_part():
                        yield part
                self._attempts.ended(attempt)
        except ServiceError:
            # The end, which would tell what it is billed by, will not come.
            if progress.needs_counting and (usage := await self._counted(prompt, attempt, progress.heard)):
                yield StreamPart(progress=usage)
            raise
        self._choosing.note(self._choosing.streamed, attempt, began, progress.usage)
        self._learn(prompt, attempt.model, progress.usage)
        if progress.usage is None and self.counts.are_asked(self._provider(attempt), attempt.model):
            # The caller reads the last words while they are counted.
            yield progress.take()
        usage = progress.usage or await self._counted(prompt, attempt, progress.heard)
        yield progress.take_last(_end(attempt, usage))

    def _provider(self, attempt: RoutingAttempt) -> Provider | None:
        return self._attempts.providers.get(attempt.model.provider)

    async def _counted(self, prompt: Prompt, attempt: RoutingAttempt, deltas: Sequence[Delta]) -> Usage | None:
        """Return the usage of an answer that said none, by its provider's tokenizer; None: it has none, or failed."""
        provider = self._provider(attempt)
        return None if provider is None else await self.counts.usage(provider, attempt, prompt, deltas)

    @asynccontextmanager
    async def _closing(self, attempt: RoutingAttempt, batches: AsyncGenerator[Batch, None]) -> AsyncIterator[None]:
        """Close the provider's connection in any case, and write down how the stream ended when it ended badly."""
        try:
            yield
        except ServiceError as exc:
            self._attempts.close(attempt, exc.reason.value, exc)
            exc.details["partial"] = "true"
            raise
        except BaseException:
            # The caller left.
            self._attempts.close(attempt, "CANCELLED")
            raise
        finally:
            await batches.aclose()

    async def embed(self, texts: EmbeddingInput, request_id: str, remaining_s: float | None) -> Embeddings:
        """Return one vector for each text.

        Raises:
            ServiceError: as `complete`.
        """
        request = self._choosing.embedding(texts, request_id, remaining_s)
        answered = await self._attempts.first_that_works(request, lambda asked, call: asked.embed(texts, call))
        self._attempts.close(answered.attempt, "")
        end = _end(answered.attempt, answered.result.usage)
        return Embeddings(_route(answered.attempt), answered.result.values, end)

    def models(self) -> Listing:
        """Return the models that can be asked for, with what was learned of them."""
        catalog = self._catalog.current()
        now = self._clock.now()
        listed = [self._listed(catalog, model) for model in catalog.models if model.is_served(now)]
        learned = {each.model.id: each.learned_shares for each in listed if each.learned_shares}
        suffix = f"+{zlib.crc32(repr(learned).encode()):08x}" if learned else ""
        return Listing(listed, catalog.version + suffix, self._catalog.refused)

    def _listed(self, catalog: Catalog, model: Model) -> ListedModel:
        provider = self._attempts.providers.get(model.provider)
        traits = None if provider is None else provider.traits(model)
        writes_out, defers = traits is not None and not traits.schemas, traits is not None and traits.defers
        fallbacks, other = stand_ins(catalog, model), catalog.find(model.canary.model) if model.canary else None
        return ListedModel(
            model,
            self._is_asked_once_a_choice(model),
            writes_out,
            self._shares.of(model.id),
            defers,
            fallbacks,
            other.id if other is not None and other.id not in fallbacks else "",
        )

    def _is_asked_once_a_choice(self, model: Model) -> bool:
        provider = self._attempts.providers.get(model.provider)
        return provider is not None and not provider.traits(model).choices

    def _learn(self, prompt: Prompt, model: Model, usage: Usage | None) -> None:
        """Count how many tokens a prompt was; a cached part is part of it."""
        if usage is not None and prompt.token_bound:
            calls = prompt.n if prompt.n and self._is_asked_once_a_choice(model) else 1
            tokens = usage.prompt_tokens // calls
            self._shares.learn(model.id, prompt.script, bound=prompt.token_bound, tokens=tokens)

    def statuses(self) -> list[ModelHealth]:
        """Return what was seen of each model."""
        return self._statuses.statuses(self._catalog.current())

    def canaries(self) -> Iterable[Side]:
        """Return what the sides of canaries have shown."""
        return self._choosing.canaries

    def _check(self, prompt: Prompt) -> None:
        if not prompt.messages:
            raise invalid_parameter("messages", "'messages' must not be empty.")
        if prompt.n is not None and not 1 <= prompt.n <= self._limits.choices_max:
            raise invalid_parameter("n", f"'n' must be between 1 and {self._limits.choices_max}.")


def _end(attempt: RoutingAttempt, usage: Usage | None) -> End:
    """Return the end of an answer, and count its tokens; of usage that nobody said there are none."""
    model = attempt.model
    if usage is None or usage.tokenized:
        metrics.UNSAID.labels(model.provider).inc()
    if usage is not None:
        counted = metrics.of_model(model.provider, model.id)
        counted.tokens_in.inc(usage.prompt_tokens)
        counted.tokens_out.inc(usage.completion_tokens)
    return End(usage, tuple(attempt.request.attempts), attempt.call.fingerprint)


def _route(attempt: RoutingAttempt) -> Route:
    model = attempt.model
    queued_ms = attempt.request.queued_ms(attempt.call.queued_s)
    dropped = tuple(dict.fromkeys(attempt.call.dropped))
    stands_in = any(tried.model != model.id for tried in attempt.request.attempts)
    return Route(model.provider, model.id, model.resolved_model, dropped, queued_ms, stands_in)
