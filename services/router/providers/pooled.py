"""One provider with several credentials: each call uses the one that was chosen for it."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from itertools import cycle
from typing import Generic, TypeVar
from uuid import UUID

from servicekit.errors import NotFound
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Vectors
from services.router.domain.kept_file import KeptFile
from services.router.providers import failures
from services.router.providers.provider import FileStore, Provider, ProviderCall, Tokenizer, Traits
from services.router.slots.line import SlotLine

P = TypeVar("P", bound=Provider)
T = TypeVar("T")


class PooledProvider(Generic[P]):
    """Providers of one kind, by the names of their credentials; the first one answers where all are the same."""

    def __init__(self, members: Mapping[str, P]) -> None:
        self._members = members
        self._first = next(iter(members.values()))
        self.name = self._first.name
        self.credentials = tuple(members)
        self._turns = cycle(members.values())

    def traits(self, model: Model) -> Traits:
        """Return what the provider does itself for this model."""
        return self._first.traits(model)

    def tokenizer(self, model: Model) -> Tokenizer | None:
        """Return what counts tokens for this model: the same under every credential."""
        return self._first.tokenizer(model)

    def slots(self, model: Model) -> SlotLine | None:
        """Return the line for the slots of all credentials."""
        return self._first.slots(model)

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        return await self._of(call).complete(prompt, call)

    def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made."""
        return self._of(call).stream(prompt, call)

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        return await self._of(call).embed(texts, call)

    def _of(self, call: ProviderCall) -> P:
        if call.deferral and not call.credential:
            # Whoever asks for it again must ask under the same.
            names = self.credentials
            call.credential = names[zlib.crc32(call.deferral.encode()) % len(names)]
        # A credential that was taken out while its slot was waited for is not there.
        return self._members.get(call.credential) or next(self._turns)


class PooledFiles:
    """Files stored under any of several credentials."""

    def __init__(self, stores: Sequence[FileStore]) -> None:
        self._stores = stores

    async def describe(self, file: UUID) -> KeptFile:
        """Return what is known of a file, without its content."""
        return await self._first(lambda store: store.describe(file))

    async def content(self, file: UUID) -> KeptFile:
        """Return a file's content and what kind it is."""
        return await self._first(lambda store: store.content(file))

    async def delete(self, file: UUID) -> None:
        """Delete a file."""
        await self._first(lambda store: store.delete(file))

    async def _first(self, ask: Callable[[FileStore], Awaitable[T]]) -> T:
        for store in self._stores:
            try:
                return await ask(store)
            except NotFound:
                continue
        raise failures.no_such_file()
