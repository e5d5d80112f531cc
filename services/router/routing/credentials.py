"""Chooses the credential of a call: the one whose slot it got, or the next in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.clock import Clock
from services.router.circuits.admission import Admission
from services.router.circuits.circuits import Circuits
from services.router.providers.provider import Provider, ProviderCall
from services.router.routing.patience import Patience
from services.router.routing.routed_request import RoutedRequest
from services.router.routing.selection import Selection
from services.router.slots import refusals
from services.router.slots.asker import Asker
from services.router.slots.line import SlotLine

_HEARD_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who wants a slot, until when on the monotonic clock (None: for ever), and for how many calls at once."""

    asker: Asker
    until: float | None
    calls: int


class CredentialChoice:
    """Waits for slots, and avoids credentials that are refused, paused or drained."""

    def __init__(self, circuits: Circuits, selection: Selection, patience: Patience, clock: Clock) -> None:
        self._circuits = circuits
        self._selection = selection
        self._patience = patience
        self._clock = clock

    async def take(self, provider: Provider, request: RoutedRequest, call: ProviderCall, admission: Admission) -> None:
        """Wait until the provider's quota has room; while another model is left, for half of the time at most.

        Raises:
            Unavailable: it will not have in time, or the model is found to hang meanwhile and another one is left.
        """
        line, is_pooled = provider.slots(call.model), self._circuits.pools.has(call.model.provider)
        if line is None and not is_pooled:
            return
        began = self._clock.monotonic()
        wish = _Wish(
            request.asker,
            self._wait_until(request, began),
            1 if provider.traits(call.model).choices else request.choices,
        )
        try:
            async with self._patience.bounded(request, admission):
                await self._take_one(line, wish, call)
            while is_pooled and not self._circuits.move(admission, call.model, call.credential):
                call.end(cut=False)
                await self._take_one(line, wish, call)
            if admission.is_overtaken and self._selection.left(request):
                raise refusals.in_vain()
        except TimeoutError as exc:
            raise refusals.in_vain() from exc
        finally:
            call.queued_s = self._clock.monotonic() - began

    async def _take_one(self, line: SlotLine | None, wish: _Wish, call: ProviderCall) -> None:
        pools, now = self._circuits.pools, self._clock.monotonic()
        if line is None:
            call.credential = pools.turn(call.model, now)
            return
        call.slot = await line.take(wish.asker, wish.until, wish.calls, pools.avoided(call.model, now))
        call.credential = call.slot.credential

    def _wait_until(self, request: RoutedRequest, now: float) -> float | None:
        if request.deadline is None:
            return None
        left_s = request.deadline - now
        if self._selection.left(request):
            return now + left_s / 2
        # Early enough that the caller hears why, and when to come again, before it gives up itself.
        return request.deadline - min(_HEARD_S, left_s / 10)
