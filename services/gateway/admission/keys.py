"""Names of the keys in Redis. The scripts get the same parts from `redis/conventions.py`.

Every key of a user begins with `gw:{user}:`, so that all of them lie in one slot of a cluster. What the members of an
organization share has the organization in place of the user: see docs/adr/0029, and `halves` for what that means there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.gateway.admission.periods import BudgetPeriod, moment, window_of

DETAILS: Final = "d"
"""Hash: request id -> what it holds. The key that a script is given; it derives all others from it."""
HOLDS: Final = "h"
"""Sorted set: request id -> Redis time until which its owner promised to be alive."""
STATE: Final = "s:"
"""Hash of one subject: its buckets and calendar counts."""
RUNNING: Final = "c:"
"""Sorted set of one subject: request id -> end of its lease."""
BUDGET: Final = "b:"
"""Hash of one budget in one period: u used, h held, s since when it counts, t and n see `redis/recount.lua`,
r see `redis/reconcile.lua`.

The key ends in the period with the Unix seconds of its beginning and end, as its owner's time zone has them: whoever
finds it knows what to ask the usage service, also after the owner moved to another zone.
"""
EXPLAINED: Final = "e:"
"""String: what a request that has ended met on its way; see `inference.explaining`."""
SHADOWED: Final = "w"
"""Hash: id of a cap that only watches -> how many requests it would have refused."""
MARK: Final = "x:"
"""Says of a request that its settlement without a hold was counted."""

KEPT_BILL: Final = "bill:"
"""Of a request that has an idempotency key: what settles it, kept together with its answer."""

ORGANIZATION_SUBJECT: Final = "organization:"

HOLDS_PATTERN: Final = f"gw:{{*}}:{HOLDS}"
SHARED_HOLDS_PATTERN: Final = f"gw:{{{ORGANIZATION_SUBJECT}*}}:{HOLDS}"
BUDGETS_PATTERN: Final = f"gw:{{*}}:{BUDGET}*"


def details_key(user_id: str) -> str:
    """Return the key that names a user's slot and from which the scripts derive all others."""
    return f"gw:{{{user_id}}}:{DETAILS}"


def owner_of_counter(user_id: str, subject: str) -> str:
    """Return under whose name a subject's spending is counted: its user's, or that of the organization itself."""
    return subject if subject.startswith(ORGANIZATION_SUBJECT) else user_id


def owner_of_key(key: str) -> str:
    """Return under whose name a counter counts."""
    return key[len("gw:{") : key.index("}:")]


def shadowed_key(owner: str) -> str:
    """Return where it is counted what the watching caps of a user, or an organization, would have refused."""
    return f"gw:{{{owner}}}:{SHADOWED}"


def state_key(user_id: str, name: str) -> str:
    """Return where the buckets and calendar counts of a user's subject are."""
    return f"gw:{{{user_id}}}:{STATE}{name}"


def kept_bill_key(user_id: str, request_id: str) -> str:
    """Return the key of what is kept of a request together with its answer."""
    return f"gw:{{{user_id}}}:{KEPT_BILL}{request_id}"


def explanation_key(user_id: str, request_id: str) -> str:
    """Return where the explanation of a user's request is kept."""
    return f"gw:{{{user_id}}}:{EXPLAINED}{request_id}"


def user_of_holds(key: str) -> str:
    """Return whose holds a key of `HOLDS_PATTERN` has."""
    return key.removeprefix("gw:{").removesuffix(f"}}:{HOLDS}")


def budget_key(user_id: str, subject: str, period: BudgetPeriod, zone: str, at_s: int) -> str:
    """Return the key of a budget's counters in the period that contains Unix second `at_s` in the owner's zone."""
    window = window_of(period, zone, at_s)
    label = "" if window is None else f"{window.starts_s}-{window.ends_s}"
    return f"gw:{{{user_id}}}:{BUDGET}{subject}:{period}{label}"


def tally_key(user_id: str, spender: str) -> str:
    """Return the key of the counter of all that a key or a grant spent: it exists once somebody has asked for it."""
    return budget_key(user_id, spender, BudgetPeriod.TOTAL, "UTC", 0)


@dataclass(frozen=True, slots=True)
class CountedSpan:
    """What a budget's counters count: whose spending of what, from when until before when (None: no such end)."""

    user_id: str
    subject: str
    since: datetime | None
    until: datetime | None


def parse_budget_key(key: str) -> CountedSpan:
    """Return what a budget key names.

    Raises:
        ValueError: it is none of ours.
    """
    user_id, _, rest = key.removeprefix("gw:{").partition(f"}}:{BUDGET}")
    subject, _, period = rest.rpartition(":")
    if BudgetPeriod(period[:1]) is BudgetPeriod.TOTAL:
        return CountedSpan(user_id, subject, None, None)
    starts_s, ends_s = map(int, period[1:].rsplit("-", 1))
    return CountedSpan(user_id, subject, moment(starts_s), moment(ends_s))


def end_of(key: str) -> int:
    """Return the Unix second in which the period of a budget key ends; 0: it never does."""
    period = key[key.rindex(":") + 1 :]
    return 0 if period == BudgetPeriod.TOTAL else int(period.rpartition("-")[2])
