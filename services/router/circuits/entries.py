"""The state of each target: its circuit, and other reasons not to call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.router import metrics as router_metrics
from services.router.circuits import metrics
from services.router.circuits.domain.circuit import Circuit, State
from services.router.circuits.domain.news import OPENING_CAUSES, Drain
from services.router.circuits.domain.target import SkipReason, Target
from services.router.circuits.settings import CircuitSettings

_STATE_NUMBER: Final = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


@dataclass(slots=True)
class Entry:
    """A target's circuit, and other reasons not to call it."""

    target: Target
    circuit: Circuit
    credential: Circuit
    cooling_until: float = 0.0
    last_resorts: int = 0
    drained: bool = False
    cause: str = ""
    changed_at: datetime | None = None
    waiting: set[Callable[[], None]] = field(default_factory=set)
    """What ends the waits for slots and for first words."""

    def refusal(self, now: float) -> SkipReason | None:
        """Return why the target may not be asked; None: it may."""
        if self.drained:
            return SkipReason.DRAINED
        if not self.credential.admits(now):
            return SkipReason.CREDENTIAL
        if not self.circuit.admits(now):
            return SkipReason.CIRCUIT_OPEN
        return SkipReason.COOLING if now < self.cooling_until else None

    def ready_at(self, now: float) -> float:
        """Return when the target may be asked again."""
        open_until = (each.until for each in (self.circuit, self.credential) if each.state is State.OPEN)
        return max(now, self.cooling_until, *open_until)

    def badness(self, now: float) -> tuple[bool, bool, float]:
        """Return what sorts targets that may not be asked, the least bad first."""
        return not self.credential.admits(now), not self.circuit.admits(now), self.ready_at(now)

    def show(self) -> None:
        """Export the state."""
        metrics.STATE.labels(*self.target).set(_STATE_NUMBER[self.circuit.state])


class Entries:
    """The entries of all targets, created on first use."""

    def __init__(self, settings: CircuitSettings) -> None:
        self._model_rules = settings.rules()
        self._credential_rules = settings.credential_rules()
        self._models: dict[Target, Entry] = {}
        self._credentials: dict[Target, Entry] = {}
        self._drains: Sequence[Drain] = ()

    def __iter__(self) -> Iterator[Entry]:
        """Give those of the credentials, then those of their models."""
        return iter([*self._credentials.values(), *self._models.values()])

    def find(self, target: Target) -> Entry:
        """Return the entry of a model, or of a credential."""
        return self.of_model(target) if target.model else self.of_credential(target)

    def of_model(self, target: Target) -> Entry:
        """Return the entry of a model."""
        entry = self._models.get(target)
        if entry is None:
            entry = Entry(target, Circuit(self._model_rules), self.of_credential(target).circuit)
            self._models[target] = self._begun(entry)
        return entry

    def of_credential(self, target: Target) -> Entry:
        """Return the entry of a target's credential."""
        credential = target.of_credential
        entry = self._credentials.get(credential)
        if entry is None:
            circuit = Circuit(self._credential_rules)
            entry = self._credentials[credential] = self._begun(Entry(credential, circuit, circuit))
        return entry

    def set_drains(self, drains: Sequence[Drain]) -> None:
        """Make exactly these drains count."""
        self._drains = tuple(drains)
        for entry in self:
            entry.drained = self._is_drained(entry.target)

    def _begun(self, entry: Entry) -> Entry:
        entry.drained = self._is_drained(entry.target)
        metrics.begin(entry.target.provider, entry.target.model, OPENING_CAUSES)
        if entry.target.model:
            router_metrics.begin_attempts(entry.target.provider, entry.target.model)
        entry.show()
        return entry

    def _is_drained(self, target: Target) -> bool:
        return any(target.is_within(drain.scope) for drain in self._drains)
