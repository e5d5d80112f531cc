"""What every provider offers the router."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Vectors
from services.router.domain.kept import Kept
from services.router.domain.kept_file import KeptFile


@dataclass(frozen=True, slots=True)
class Traits:
    """What a provider does itself; the rest is emulated around it."""

    stop: bool
    """Cuts at stop sequences."""
    choices: bool
    """Makes n answers of one call."""
    schemas: bool = True
    """Takes schemas as they stand; else references and unions are written out."""


@dataclass(slots=True)
class ProviderCall:
    """One call: what it needs to know, and what is learned on the way (also when it fails)."""

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


class FileStore(Protocol):
    """Files that lie at a provider, by its own id. Methods raise NotFound when it is not there."""

    async def describe(self, file: UUID) -> KeptFile:
        """Return what is known of a file, without its content."""
        ...

    async def content(self, file: UUID) -> KeptFile:
        """Return a file's content and what kind it is."""
        ...

    async def delete(self, file: UUID) -> None:
        """Delete a file."""
        ...


class Provider(Protocol):
    """One vendor. Methods raise ServiceError and nothing else."""

    name: str

    def traits(self, model: Model) -> Traits:
        """Return what the provider does itself for this model."""
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
