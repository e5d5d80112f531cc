"""Answers from the cache, where the caller wants that and there is one; else the answer goes into it.

A hit is a request like every other: admitted, journalled and settled, at its own price. Only the router is not asked.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeVar, cast

import msgspec

from services.gateway.clients.completion import Completion, Embeddings, End, StreamPart, chars_of
from services.gateway.clients.kept.answer_cache import RedisAnswerCache
from services.gateway.edge.request_context import CacheStatus, RequestContext
from services.gateway.identity.access import may_use
from services.gateway.inference.caching.whole_answer import Gathering, part_of
from services.gateway.inference.keeping.sealing import UNREADABLE, Seal, digest, grown, name_of, shrunk
from services.gateway.inference.paid_call import PaidCall
from services.gateway.inference.pricing import PricedRequest

# Before they are compressed.
MOST_BYTES: Final = 2**21
_BYTES_OF_A_FIGURE: Final = 9
# An answer that was cut by a filter may be whole the next time.
_LASTING: Final = frozenset(("stop", "length", "tool_calls"))

Answer = TypeVar("Answer", bound=Completion | Embeddings)
Ask = Callable[[PaidCall], Awaitable[Answer]]
AskStream = Callable[[PaidCall], AsyncGenerator[list[StreamPart], None]]


class Cached(msgspec.Struct, frozen=True, array_like=True):
    """What lies in the cache: an answer of one kind or the other."""

    completion: Completion | None
    embeddings: Embeddings | None

    @property
    def answer(self) -> Completion | Embeddings:
        """Return whichever it is."""
        found = self.completion or self.embeddings
        assert found is not None
        return found


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Cached).decode


class AnswerCache:
    """Finds and fills; only for requests whose context has a wish."""

    def __init__(self, store: RedisAnswerCache, *, price_percent: int) -> None:
        self._store = store
        self._price_percent = price_percent

    async def whole(
        self, context: RequestContext, priced: PricedRequest, ask: Ask[Answer]
    ) -> tuple[PricedRequest, Ask[Answer]]:
        """Return a request and who answers it: the cache, or `ask`, of whose answer it learns."""
        found = await self._find(context, priced)
        if found is None:
            return priced, self._learning(context, priced, ask)

        async def given(call: PaidCall) -> Answer:
            if isinstance(found, Completion):
                call.answered(found.route, chars_of(found.choices), found.end.usage)
            return cast(Answer, found)

        return priced.at_share(self._price_percent), given

    async def stream(
        self, context: RequestContext, priced: PricedRequest, ask: AskStream
    ) -> tuple[PricedRequest, AskStream]:
        """Return the same of a stream."""
        found = await self._find(context, priced)
        if not isinstance(found, Completion):
            return priced, self._listening(context, priced, ask)

        async def given(call: PaidCall) -> AsyncGenerator[list[StreamPart], None]:
            yield [part_of(found)]

        return priced.at_share(self._price_percent), given

    def _learning(self, context: RequestContext, priced: PricedRequest, ask: Ask[Answer]) -> Ask[Answer]:
        async def learn(call: PaidCall) -> Answer:
            answer = await ask(call)
            if call.priced.max_tokens == priced.max_tokens:
                await self._fill(context, priced, answer)
            return answer

        return learn

    def _listening(self, context: RequestContext, priced: PricedRequest, ask: AskStream) -> AskStream:
        async def listen(call: PaidCall) -> AsyncGenerator[list[StreamPart], None]:
            gathering = Gathering()
            async with aclosing(ask(call)) as arrived:
                async for parts in arrived:
                    for part in parts:
                        gathering.add(part)
                    yield parts
            # With answers as short as a budget allowed it would be another request.
            if (answer := gathering.completion()) and call.priced.max_tokens == priced.max_tokens:
                await self._fill(context, priced, answer)

        return listen

    async def _find(self, context: RequestContext, priced: PricedRequest) -> Completion | Embeddings | None:
        """Return what is cached, and say in the headers whether anything is."""
        seal = _seal(context, priced)
        sealed = await self._store.load(context.known_caller.user_id, seal.name)
        packed = seal.open(sealed) if sealed is not None else None
        found = await _unpacked(packed) if packed is not None else None
        if found is not None and not _is_allowed(context, priced, found):
            found = None
        context.cache_status = CacheStatus.MISS if found is None else CacheStatus.HIT
        context.headers.append((b"x-razvilka-cache-status", context.cache_status.encode()))
        return found

    async def _fill(self, context: RequestContext, priced: PricedRequest, answer: Completion | Embeddings) -> None:
        wish = context.cache
        if wish is None or not _is_lasting(answer):
            return
        # Who was asked how often, and the wait in line, are of the first request alone.
        end = End(answer.end.usage, (), answer.end.system_fingerprint)
        route = msgspec.structs.replace(answer.route, queued_ms=0)
        kept = msgspec.structs.replace(answer, end=end, route=route)
        cached = Cached(kept, None) if isinstance(kept, Completion) else Cached(None, kept)
        packed = _pack(cached)
        if len(packed) <= MOST_BYTES:
            seal = _seal(context, priced)
            sealed = seal.close(await shrunk(packed))
            await self._store.save(context.known_caller.user_id, seal.name, sealed, ttl_s=wish.ttl_s)


async def _unpacked(packed: bytes) -> Completion | Embeddings | None:
    try:
        return _unpack(await grown(packed)).answer
    except UNREADABLE:
        return None


def _seal(context: RequestContext, priced: PricedRequest) -> Seal:
    """Return where the answer lies and what it is encrypted by: made of the request, and of the model as it is now."""
    assert context.cache is not None
    model, owner = priced.model, context.known_caller.grant_id
    same = ("cache", owner, context.cache.key, model.id, model.resolved_model)
    return Seal(name_of(*same), digest("answer", *same))


def _is_allowed(context: RequestContext, priced: PricedRequest, answer: Completion | Embeddings) -> bool:
    """Tell whether what answered may answer this request too: another credential of the account may have asked."""
    model = priced.catalog.find(answer.route.model)
    if model is None or not may_use(context.known_caller, model):
        return False
    return any(candidate.id == model.id for candidate, _ in priced.candidates)


def _is_lasting(answer: Completion | Embeddings) -> bool:
    """Tell whether the same request would get the same again, and it is small enough to be looked at."""
    if isinstance(answer, Embeddings):
        return _BYTES_OF_A_FIGURE * sum(len(vector) for vector in answer.vectors) <= MOST_BYTES
    return {choice.finish_reason for choice in answer.choices} <= _LASTING
