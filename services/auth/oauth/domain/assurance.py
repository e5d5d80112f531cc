"""Authentication assurance: `acr` and `amr` (OpenID Connect Core 2, RFC 8176), requested by RFC 9470 step-up."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

ONE_PROOF: Final = "urn:razvilka:acr:1"
TWO_PROOFS: Final = "urn:razvilka:acr:2"
# The weakest first: who reaches one reaches those before it.
LEVELS: Final = (ONE_PROOF, TWO_PROOFS)
SECOND_FACTORS: Final = frozenset({"otp"})


def acr_of(methods: Collection[str]) -> str:
    """Return the level that these proofs reach together."""
    return TWO_PROOFS if SECOND_FACTORS.intersection(methods) and len(methods) > 1 else ONE_PROOF


def amr_of(methods: Collection[str]) -> list[str]:
    """Return the proofs as a token names them; "mfa" says that there were two."""
    return [*methods, *(["mfa"] if acr_of(methods) == TWO_PROOFS else [])]


def reaches(methods: Collection[str], wanted: Collection[str]) -> bool:
    """Tell whether these proofs reach one of the levels that are wanted; none wanted: any will do."""
    if not wanted:
        return True
    reached = LEVELS[: LEVELS.index(acr_of(methods)) + 1]
    return not set(reached).isdisjoint(wanted)
