"""Rules: which events somebody wants, and through which channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from servicekit.errors import invalid_parameter
from services.usage.notifications.domain.channel import MAX_CHANNELS
from services.usage.notifications.domain.kinds import RULE_KINDS, EventKind

MAX_RULES: Final = 50
THRESHOLDS: Final = (50, 80, 90, 100)
MOST_THRESHOLDS: Final = 10
LONGEST_COOLDOWN_S: Final = 7 * 86_400
LONGEST_SUBJECT: Final = 256
SUBJECTS: Final = ("user", "key", "grant", "organization")


@dataclass(frozen=True, slots=True)
class NewRule:
    """The content of a rule.

    Attributes:
        subject: of budgets and keys: only this one (`user:…`, `key:…`, `grant:…`, `organization:…`); empty: each that
            the user has.
        thresholds: percent of a budget, rising.
        cooldown_s: seconds after an event in which the rule is silent about the same subject; that a budget is spent
            is told all the same.
    """

    kind: EventKind
    channel_ids: tuple[UUID, ...]
    subject: str = ""
    thresholds: tuple[int, ...] = ()
    cooldown_s: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A user's rule. `maker`: the credential that made it, and with which it ends; "": a person."""

    id: UUID
    user_id: str
    says: NewRule
    created_at: datetime
    maker: str = ""

    def is_about(self, subject: str) -> bool:
        """Tell whether the rule is about the subject."""
        return self.says.subject in ("", subject)


def new_rule(
    kind: str,
    channel_ids: Sequence[UUID],
    *,
    subject: str,
    thresholds: Sequence[int],
    cooldown_s: int,
    enabled: bool = True,
) -> NewRule:
    """Return a rule that makes sense.

    Raises:
        InvalidRequest: it does not; the field is named.
    """
    known = _kind(kind)
    _check_channels(channel_ids)
    if not 0 <= cooldown_s <= LONGEST_COOLDOWN_S:
        raise invalid_parameter("cooldown_s", f"The pause must be 0 to {LONGEST_COOLDOWN_S} seconds.")
    if subject and not _is_subject(subject):
        text = "Give user:<id>, key:<id>, grant:<id> or organization:<id>, or nothing for all of them."
        raise invalid_parameter("subject", text)
    return NewRule(
        known, tuple(dict.fromkeys(channel_ids)), subject, _thresholds(known, thresholds), cooldown_s, enabled
    )


def _is_subject(text: str) -> bool:
    kind, _, name = text.partition(":")
    return kind in SUBJECTS and bool(name) and len(text) <= LONGEST_SUBJECT and text.isprintable()


def _kind(kind: str) -> EventKind:
    if kind not in RULE_KINDS:
        raise invalid_parameter("kind", f"Known kinds: {', '.join(RULE_KINDS)}.")
    return EventKind(kind)


def _check_channels(channel_ids: Sequence[UUID]) -> None:
    if not 1 <= len(channel_ids) <= MAX_CHANNELS:
        raise invalid_parameter("channels", f"Name 1 to {MAX_CHANNELS} channels.")


def _thresholds(kind: EventKind, given: Sequence[int]) -> tuple[int, ...]:
    if kind is not EventKind.BUDGET_THRESHOLD:
        if given:
            raise invalid_parameter("thresholds", f"Only rules for {EventKind.BUDGET_THRESHOLD} have thresholds.")
        return ()
    if len(given) > MOST_THRESHOLDS or any(not 1 <= percent <= 100 for percent in given):
        raise invalid_parameter("thresholds", f"Give {MOST_THRESHOLDS} percentages of 1 to 100 at most.")
    return tuple(sorted(set(given))) or THRESHOLDS
