"""Yandex's embeddings: one text for each call, with retries when the rate quota refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, ServiceError, invalid_parameter
from services.router.domain.completion import Usage, Vectors
from services.router.domain.failure import QUOTA_ATTEMPTS, quota_wait_s
from services.router.providers.parallel import keep_answers
from services.router.providers.provider import ProviderCall
from services.router.slots.line import SlotLine

# More at once would only earn refusals; and requests that come together take turns.
AT_ONCE: Final = 8
EmbedOne = Callable[[str], Awaitable[Vectors]]


class PacedEmbeddings:
    """Embeds many texts within the quota of one folder; each text takes a slot."""

    def __init__(self, line: SlotLine | None, clock: Clock) -> None:
        self._line = line
        self._clock = clock

    async def embed(self, texts: Sequence[str], call: ProviderCall, embed_one: EmbedOne) -> Vectors:
        """Return one vector for each text, in their order; equal texts once, none that was answered before.

        Raises:
            ServiceError: a text failed, or all of them take longer than the call may.
        """
        different = list(dict.fromkeys(texts))
        kept = call.kept.vectors
        missing = {number: text for number, text in enumerate(different) if number not in kept}
        self._check_time(len(missing), call)
        asked = {number: self._in_turn(text, call, embed_one) for number, text in missing.items()}
        await keep_answers(kept, asked, AT_ONCE)
        made = [kept[number] for number in range(len(different))]
        vector_of = {text: one.values[0] for text, one in zip(different, made, strict=True)}
        usages = [one.usage for one in made]
        known = [usage for usage in usages if usage is not None]
        return Vectors([vector_of[text] for text in texts], sum(known, Usage(0, 0)) if known == usages else None)

    async def _in_turn(self, text: str, call: ProviderCall, embed_one: EmbedOne) -> Vectors:
        tries = 0
        while True:
            await self._turn(call)
            tries += 1
            try:
                return await embed_one(text)
            except ServiceError as exc:
                if exc.reason is not ErrorReason.PROVIDER_RATE_LIMITED or tries >= QUOTA_ATTEMPTS:
                    raise
                wait_s = quota_wait_s(exc, tries)
                if call.deadline is not None and self._clock.monotonic() + wait_s >= call.deadline:
                    raise
            await self._clock.sleep(wait_s)

    async def _turn(self, call: ProviderCall) -> None:
        if self._line is not None:
            slot = await self._line.take(call.asker, call.deadline)
            call.queued_s = max(call.queued_s, slot.queued_s)

    def _check_time(self, count: int, call: ProviderCall) -> None:
        if call.deadline is None or self._line is None:
            return
        needed_s, left_s = self._line.quota.seconds_for(count), call.deadline - self._clock.monotonic()
        if needed_s >= left_s:
            raise invalid_parameter(
                "input",
                f"{count} texts take {needed_s:.0f} s at the provider's rate, and {left_s:.0f} s are left: send fewer.",
            )
