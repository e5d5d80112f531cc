"""A permit for one call to a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from services.router.circuits.domain.circuit import Pass
from services.router.circuits.entries import Entry


class Admission(Struct):
    """A permit for one call; its outcome must be reported by `answered`, `failed` or `left`."""

    entry: Entry
    of_model: Pass
    of_credential: Pass
    is_last_resort: bool = False

    @contextmanager
    def waiting(self, give_up: Callable[[], None]) -> Iterator[None]:
        """Have `give_up` called if the model is found to hang while the block lasts."""
        waiting = self.entry.waiting
        waiting.add(give_up)
        try:
            yield
        finally:
            waiting.discard(give_up)

    @property
    def is_overtaken(self) -> bool:
        """Whether the circuit has opened since."""
        return self.entry.circuit.has_opened_since(self.of_model)

    @property
    def is_recorded(self) -> bool:
        """Whether an outcome was told: the call had begun to answer."""
        return self.of_model.is_recorded


def ordinary(entry: Entry, now: float) -> Admission:
    """Return the right to a call of a target that does not refuse any."""
    of_model, of_credential = entry.circuit.take(now), entry.credential.take(now)
    if of_model is None or of_credential is None:
        raise AssertionError("asked for without looking first")
    return Admission(entry, of_model, of_credential)


def last_resort(entry: Entry) -> Admission:
    """Return the right to a call of a target whose circuit is open."""
    entry.last_resorts += 1
    of_model, of_credential = entry.circuit.take_last_resort(), entry.credential.take_last_resort()
    return Admission(entry, of_model, of_credential, is_last_resort=True)
