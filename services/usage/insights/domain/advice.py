"""Recommendations: findings with an action, its monthly saving, and the user's decision.

new ──▶ accepted ──▶ done (by the user, or once the saving is measured)
│         │
└─────────┴──▶ dismissed, with a reason; what is dismissed or done is not brought up again
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from servicekit.errors import Conflict, ErrorReason
from services.usage.insights.domain.finding import Found, Pattern
from services.usage.insights.domain.material import monthly

SHOWN: Final = 5
MEASURED_AFTER: Final = timedelta(days=14)
ADVISED: Final = frozenset(
    {
        Pattern.CHEAPER_MODEL,
        Pattern.CACHEABLE,
        Pattern.IDLE_KEY,
        Pattern.DEPRECATED,
        Pattern.OVERSIZE_CTX,
        Pattern.MAX_TOKENS_WASTE,
        Pattern.RETRY_STORM,
    }
)


class State(StrEnum):
    """The state of a recommendation."""

    NEW = "new"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    DONE = "done"


# From a state to those that it may become; to say it again changes nothing.
MAY_BECOME: Final[Mapping[State, frozenset[State]]] = {
    State.NEW: frozenset({State.ACCEPTED, State.DISMISSED, State.DONE}),
    State.ACCEPTED: frozenset({State.DISMISSED, State.DONE}),
    State.DISMISSED: frozenset({State.NEW, State.ACCEPTED}),
    State.DONE: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One piece of advice; `realised_micro_rub` is a month's, None until it is measured."""

    id: str
    found: Found
    first_seen: datetime
    last_seen: datetime
    state: State = State.NEW
    reason: str = ""
    decided_at: datetime | None = None
    realised_micro_rub: int | None = None
    realised_at: datetime | None = None

    def check_may_become(self, state: State) -> None:
        """Return when it may become that.

        Raises:
            Conflict: it may not any more.
        """
        if state is not self.state and state not in MAY_BECOME[self.state]:
            raise Conflict(ErrorReason.CONFLICT, f"What is {self.state} cannot become {state}.", param="state")

    @property
    def weight(self) -> tuple[float, float]:
        """Return by what it is ranked: the saving that may be hoped for; among equals, how sure it is."""
        saving = self.found.saving
        assert saving is not None  # only what has one is advised
        return saving.max_micro_rub * saving.confidence, saving.confidence


def advised(findings: Iterable[Found]) -> list[Found]:
    """Return the findings that say what to do."""
    return [finding for finding in findings if finding.pattern in ADVISED and finding.saving is not None]


def best(recommendations: Iterable[Recommendation]) -> list[Recommendation]:
    """Return the few that are worth most."""
    return sorted(recommendations, key=lambda each: each.weight, reverse=True)[:SHOWN]


def recommendation_id(user_id: str, finding: Found) -> str:
    """Return the id of this advice to this user: the same advice has the same one."""
    return str(uuid5(NAMESPACE_URL, f"razvilka:advice:{user_id}:{finding.pattern}:{finding.subject}"))


@dataclass(frozen=True, slots=True)
class Scope:
    """The requests that a recommendation is about: those of some models, or all if none is named."""

    models: tuple[str, ...] = ()


def may_save(finding: Found) -> bool:
    """Tell whether following the advice changes what requests cost: a key that nobody used has none."""
    return finding.pattern is not Pattern.IDLE_KEY


def scope_of(finding: Found) -> Scope:
    """Return the requests by which the saving is measured: of both models, when one takes the place of another."""
    if finding.pattern in (Pattern.CACHEABLE, Pattern.RETRY_STORM):
        return Scope()
    others = [finding.evidence.get(name) for name in ("other", "successor")]
    return Scope((finding.subject, *[str(other) for other in others if other]))


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of a scope's requests over the days before or after a decision."""

    requests: int
    cost_micro_rub: int


def realised(before: Spent, after: Spent) -> int:
    """Return what is saved a month: the requests after the decision at the cost each had before, less their cost.

    Negative: they became dearer. Nothing before, or nothing after, is nothing saved.
    """
    if not before.requests or not after.requests:
        return 0
    at_old_cost = before.cost_micro_rub * after.requests // before.requests
    return monthly(at_old_cost - after.cost_micro_rub, MEASURED_AFTER.days)
