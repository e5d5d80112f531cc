"""On whose account the rows of a user of the source are booked, where it is not their own: what a run keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from migrate.fates.merging import Collision, Decision, WrongDecision, owners_of

MERGED: Final = "merged"
# Users who came back from quarantine under another id.
RENAMED: Final = "renamed"
Ask = Callable[[Sequence[Collision]], Sequence[Decision]]
_TOO_LATE: Final = (
    "The accounts of this source have moved with other decisions: give the same ones, or take all back with undo first."
)


def owners_in(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the account of 1.1 on which the rows of a user are booked, by the user's id."""
    return {**state.get(MERGED, {}), **state.get(RENAMED, {})}


def decided(
    state: Mapping[str, Any], decisions: Sequence[Decision], ask: Ask | None, collisions: Sequence[Collision]
) -> dict[str, str]:
    """Return who is merged into whom, before the accounts move.

    Raises:
        WrongDecision: it cannot be, or a run that was killed had other decisions.
    """
    merged = owners_of([*decisions, *(ask(collisions) if ask and collisions else ())], collisions)
    if state.get(MERGED, merged) != merged:
        raise WrongDecision(_TOO_LATE)
    return merged


def check_still_decided(state: Mapping[str, Any], decisions: Sequence[Decision]) -> None:
    """Check that decisions are those with which the accounts have moved.

    Raises:
        WrongDecision: they are others.
    """
    if decisions and {each.gone: each.keep for each in decisions} != state.get(MERGED, {}):
        raise WrongDecision(_TOO_LATE)
