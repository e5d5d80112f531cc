"""The interface of a provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from msgspec import Struct, field
from yarl import URL

from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Vectors
from services.router.domain.kept import Kept
from services.router.domain.kept_file import KeptFile
from services.router.slots.asker import NOBODY, Asker
from services.router.slots.line import SlotLine
from services.router.slots.quota import Slot


@dataclass(frozen=True, slots=True)
class Traits:
    """What a provider supports itself; the rest is emulated."""

    stop: bool
    """Cuts at stop sequences."""
    choices: bool
    """Makes n answers of one call."""
    schemas: bool = True
    """Takes schemas as they stand; else references and unions are written out."""
    defers: bool = False
    """Takes calls that it answers later, for less: those that have a `deferral`."""


class ProviderCall(Struct):
    """One call: its parameters, and what was learned during it (also when it fails)."""

    model: Model
    request_id: str
    headers: dict[str, str]
    """Trace context for the provider."""
    deadline: float | None = None
    """On the monotonic clock, for all attempts of the request; None: none."""
    dropped: list[str] = field(default_factory=list)
    """Parameters that were left out; complete before the first batch."""
    provider_request_id: str = ""
    """The provider's own id, for support cases."""
    fingerprint: str = ""
    """The build of the model that answered."""
    kept: Kept = field(default_factory=Kept)
    """What this model has answered already, in an attempt before this one; and what it answers in this one."""
    asker: Asker = NOBODY
    """Between whom slots are shared."""
    slot: Slot | None = None
    """Leave to make it; None: its provider has no limit."""
    credential: str = ""
    """Under which of several credentials it goes out; "": its provider has one only."""
    queued_s: float = 0.0
    """Seconds that it waited for slots."""
    deferral: str = ""
    """Names a call that nobody waits for, whoever makes it again; "": somebody does."""
    ends_early: bool = False
    """It may be ended from our side though the answer is whole."""
    on_whole: Callable[[], None] | None = None
    """Hears that a stream will come in one piece, so that its first content is not late for being its last."""

    def at_once(self, calls: int) -> int:
        """Return how many of so many calls may be under way together."""
        return calls if self.slot is None else min(calls, self.slot.count)

    def comes_whole(self) -> None:
        """Say before it is asked that its streamed answer will come in one piece: as long as a plain one may take."""
        if self.on_whole is not None:
            self.on_whole()

    def end(self, *, cut: bool) -> None:
        """Give its slot back."""
        if self.slot is not None:
            self.slot.release(cut=cut or self.ends_early)


class FileStore(Protocol):
    """Files stored at a provider, by its own ids. Methods raise NotFound when one is not there."""

    async def describe(self, file: UUID) -> KeptFile:
        """Return what is known of a file, without its content."""
        ...

    async def content(self, file: UUID) -> KeptFile:
        """Return a file's content and what kind it is."""
        ...

    async def delete(self, file: UUID) -> None:
        """Delete a file."""
        ...


@dataclass(frozen=True, slots=True)
class Countable:
    """What a tokenizer can count; equal values have equal counts.

    Attributes:
        url, body: of the call; the body names the model.
        template: tokens that are billed around the text, where the tokenizer sees the text alone.
    """

    url: URL
    body: bytes
    template: int = 0


class DeferredCalls(Protocol):
    """Remembers the provider's names of calls that it answers later. Methods raise ServiceError."""

    async def find(self, deferral: str) -> str | None:
        """Return the provider's name for the call, None: it was not asked yet."""
        ...

    async def keep(self, deferral: str, operation: str) -> None:
        """Remember that the provider has taken it. Never fails: it is billed already."""
        ...

    async def forget(self, deferral: str) -> None:
        """Have it asked anew: what the provider took has failed, or is gone."""
        ...


class Tokenizer(Protocol):
    """Counts as its provider bills. Methods raise ServiceError and nothing else."""

    def prompt(self, prompt: Prompt, model: Model) -> Countable | None:
        """Return what is counted for a prompt, once; None: it has parts that the tokenizer does not count."""
        ...

    def text(self, text: str, model: Model) -> Countable:
        """Return what is counted for a text that the model has made."""
        ...

    async def count(self, asked: Countable, call: ProviderCall) -> int:
        """Return the tokens, template included."""
        ...


class Provider(Protocol):
    """One vendor. Methods raise ServiceError and nothing else."""

    name: str

    def traits(self, model: Model) -> Traits:
        """Return what the provider does itself for this model."""
        ...

    def tokenizer(self, model: Model) -> Tokenizer | None:
        """Return what counts tokens for this model; None: the provider has nothing that does."""
        ...

    def slots(self, model: Model) -> SlotLine | None:
        """Return the line in which calls of this model wait for their slot; None: there is no limit."""
        ...

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        ...

    def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made; closing the generator closes the provider's connection.

        The last delta of each choice carries a finish reason, or the stream raises.
        """
        ...

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        ...
