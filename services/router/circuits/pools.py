"""Providers with several credentials: which of them may be used for a model now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Protocol

from services.router.circuits.domain.target import ONLY_CREDENTIAL, Target
from services.router.circuits.entries import Entries, Entry


class Candidate(Protocol):
    """A model that may be asked."""

    @property
    def provider(self) -> str:
        """Who offers it."""
        ...

    @property
    def id(self) -> str:
        """Its name in the catalogue."""
        ...


class Pools:
    """Credentials by provider; providers with a single one are not in here, and cost one lookup."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._names: dict[str, tuple[str, ...]] = {}
        self._turns = count()

    def set(self, provider: str, credentials: Sequence[str]) -> None:
        """Have a provider be asked under these credentials; none: under its only one."""
        self._names.pop(provider, None)
        if credentials:
            self._names[provider] = tuple(credentials)
        for credential in credentials:
            # So that administrators see it before it is first used.
            self._entries.of_credential(Target(provider, credential))

    def of(self, provider: str) -> tuple[str, ...]:
        """Return the names of a provider's credentials, as circuits and drains know them."""
        return self._names.get(provider, (ONLY_CREDENTIAL,))

    def has(self, provider: str) -> bool:
        """Tell whether a provider has several credentials."""
        return provider in self._names

    def best(self, model: Candidate, now: float) -> Entry:
        """Return the model as the credential reaches it that may be asked, or is the least bad one."""
        names = self._names.get(model.provider)
        if names is None:
            return self._entries.of_model(Target(model.provider, ONLY_CREDENTIAL, model.id))
        entries = list(self._each(model, names))
        ready = (entry for entry in entries if entry.refusal(now) is None)
        return next(ready, None) or min(entries, key=lambda entry: (entry.drained, *entry.badness(now)))

    def avoided(self, model: Candidate, now: float) -> tuple[str, ...]:
        """Return the credentials that are not to be used for the model: all that are worse off than the best one."""
        names = self._names.get(model.provider)
        if names is None:
            return ()
        least = self.best(model, now).refusal(now)
        return tuple(entry.target.credential for entry in self._each(model, names) if entry.refusal(now) is not least)

    def turn(self, model: Candidate, now: float) -> str:
        """Return whose turn it is where no slot says it; "": the provider has one credential."""
        avoided = self.avoided(model, now)
        usable = [name for name in self._names.get(model.provider, ()) if name not in avoided]
        return usable[next(self._turns) % len(usable)] if usable else ""

    def _each(self, model: Candidate, names: Sequence[str]) -> Iterator[Entry]:
        return (self._entries.of_model(Target(model.provider, name, model.id)) for name in names)
