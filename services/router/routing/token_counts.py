"""Usage of answers whose provider did not report it: counted by the provider's own tokenizer, briefly and rarely."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from msgspec.structs import replace

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router import metrics
from services.router.domain.catalog import Model
from services.router.domain.completion import Delta, Prompt, Usage
from services.router.providers.parallel import in_parallel
from services.router.providers.provider import Countable, Provider, ProviderCall, Tokenizer
from services.router.routing.limits import Limits
from services.router.routing.routing_attempt import RoutingAttempt

log = structlog.get_logger()

# Of one request; providers allow 50 a second.
_AT_ONCE: Final = 4


class TokenCounts:
    """Counts tokens of answers, with a cache that does not contain the texts.

    An answer is never worse off for it: what cannot be counted within the bound is not counted.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._known: OrderedDict[bytes, int] = OrderedDict()

    def are_asked(self, provider: Provider | None, model: Model) -> bool:
        """Tell whether somebody is asked, which takes time."""
        return provider is not None and self._limits.tokenizer_s > 0 and provider.tokenizer(model) is not None

    async def usage(
        self, provider: Provider, attempt: RoutingAttempt, prompt: Prompt, deltas: Iterable[Delta]
    ) -> Usage | None:
        """Return what an answer has used, `deltas` being all of it; None: nobody could count it in time."""
        model = attempt.model
        tokenizer = provider.tokenizer(model)
        bound_s = self._bound_s(attempt)
        if tokenizer is None or bound_s <= 0:
            return None
        # A call that is n choices for the caller is n calls for the provider, each of which reads the prompt.
        calls = 1 if provider.traits(model).choices else prompt.n or 1
        try:
            async with asyncio.timeout(bound_s):
                usage = await self._counted(tokenizer, attempt.call, prompt, text_of(deltas), calls)
        except TimeoutError:
            usage, outcome = None, "late"
        except ServiceError:
            usage, outcome = None, "failed"
        except Exception:
            # The answer is out, or whole: a fault in counting it may not become its failure.
            log.exception("router.tokenizer_failed", model=model.id)
            usage, outcome = None, "failed"
        else:
            outcome = "uncountable" if usage is None else "counted"
        metrics.TOKENIZED.labels(model.provider, outcome).inc()
        return usage

    async def of_each(self, tokenizer: Tokenizer, asked: Sequence[Countable], call: ProviderCall) -> list[int]:
        """Return the tokens of each; equal ones are asked once.

        Raises:
            ServiceError: one of them could not be counted.
        """
        different = {_key(each): each for each in asked}
        counts = [self._count(tokenizer, each, call) for each in different.values()]
        known = dict(zip(different, await in_parallel(counts, _AT_ONCE), strict=True))
        return [known[_key(each)] for each in asked]

    def _bound_s(self, attempt: RoutingAttempt) -> float:
        """Return the seconds that counting may take: never more than half of what the caller still waits."""
        until = attempt.request.caller_deadline
        if until is None:
            return self._limits.tokenizer_s
        return min(self._limits.tokenizer_s, (until - self._clock.monotonic()) / 2)

    async def _counted(
        self, tokenizer: Tokenizer, call: ProviderCall, prompt: Prompt, text: str, calls: int
    ) -> Usage | None:
        asked = tokenizer.prompt(prompt, call.model)
        if asked is None:
            return None
        counted = [self._count(tokenizer, asked, call)]
        if text:
            counted.append(self._count(tokenizer, tokenizer.text(text, call.model), call))
        tokens_in, *tokens_out = await in_parallel(counted, len(counted))
        return Usage(tokens_in * calls, sum(tokens_out), tokenized=True)

    async def _count(self, tokenizer: Tokenizer, asked: Countable, call: ProviderCall) -> int:
        key = _key(asked)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        # A call of its own: the ids of the one that answered are the answer's.
        tokens = self._known[key] = await tokenizer.count(asked, replace(call, dropped=[]))
        while len(self._known) > self._limits.tokenizer_cache:
            self._known.popitem(last=False)
        return tokens


def _key(asked: Countable) -> bytes:
    return hashlib.sha256(b"%b\0%d\0%b" % (str(asked.url).encode(), asked.template, asked.body)).digest()


def text_of(deltas: Iterable[Delta]) -> str:
    """Return what the model has said as one text, choice by choice."""
    choices: dict[int, list[str]] = {}
    for delta in deltas:
        said = choices.setdefault(delta.choice_index, [])
        said.append(delta.reasoning_content)
        said.append(delta.content)
        for call in delta.tool_calls:
            said.append(f"\n{call.name}\n{call.arguments}" if call.name else call.arguments)
    texts = ("".join(choices[index]) for index in sorted(choices))
    return "\n".join(text for text in texts if text)
