"""How long a request waits for a model: no longer than it may, and no longer once the model is found to hang."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.router.circuits.admission import Admission
from services.router.routing.routed_request import RoutedRequest
from services.router.routing.selection import Selection

# Calls of a model that hangs are given up over so many seconds: its stand-in should not have all of them at once.
GIVE_UP_S: Final = 2.0


class Patience:
    """Bounds waits for slots and for first words."""

    def __init__(self, selection: Selection, rng: random.Random) -> None:
        self._selection = selection
        self._rng = rng

    @asynccontextmanager
    async def bounded(
        self, request: RoutedRequest, admission: Admission, most_s: float | None = None
    ) -> AsyncIterator[None]:
        """Let the block take `most_s` at most, None: as long as it likes; if another model can be asked, no longer
        than until shortly after this one was found to hang.

        Raises:
            TimeoutError: it is over.
        """
        async with asyncio.timeout(most_s) as bound:
            with admission.waiting(lambda: self._give_up(request, bound)):
                yield

    def _give_up(self, request: RoutedRequest, bound: asyncio.Timeout) -> None:
        soon = asyncio.get_running_loop().time() + self._rng.random() * GIVE_UP_S
        # What nobody waits for is answered later, by whoever has taken it.
        if not request.deferral and self._selection.left(request) and not bound.expired():
            bound.reschedule(min(soon, bound.when() or soon))
