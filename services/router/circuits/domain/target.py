"""The target of a circuit."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

# Of a provider with one credential.
ONLY_CREDENTIAL: Final = "default"


class Target(NamedTuple):
    """A model reached with one credential; an empty model is the credential itself. Hashes as fast as a tuple."""

    provider: str
    credential: str
    model: str = ""

    @property
    def of_credential(self) -> Target:
        """The credential, for all its models."""
        return Target(self.provider, self.credential)

    def is_within(self, other: Target) -> bool:
        """Tell whether `other`, whose empty parts stand for all, holds this target."""
        return (
            self.provider == other.provider
            and other.credential in ("", self.credential)
            and other.model in ("", self.model)
        )


class SkipReason(StrEnum):
    """Why a candidate was not called; takes the place of an attempt's error."""

    CIRCUIT_OPEN = "SKIPPED_CIRCUIT_OPEN"
    CREDENTIAL = "SKIPPED_CREDENTIAL_REFUSED"
    COOLING = "SKIPPED_COOLING"
    DRAINED = "SKIPPED_DRAINED"
