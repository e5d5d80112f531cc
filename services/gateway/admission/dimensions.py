"""Every kind of limit, one row each: who has it, how it is counted, what a refusal says, what the headers show.

To add a limit: a member of `Dimension`, a field of `Limits`, a row of `DIMENSIONS`. The scripts, the codec, the local
limits, the headers and the metrics read the table; the auth service sends a field of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from servicekit.errors import ErrorReason


class Dimension(StrEnum):
    """What is limited. Values are metric labels, names in the RateLimit headers and fields in Redis."""

    REQUESTS_PER_MINUTE = "rpm"
    REQUESTS_PER_DAY = "rpd"
    TOKENS_PER_MINUTE = "tpm"
    TOKENS_PER_DAY = "tpd"
    CONCURRENCY = "concurrency"
    BUDGET = "budget"


class Scope(StrEnum):
    """Whose limit it is: an account's, a key's, a model version's for one account, an application's, many accounts'."""

    USER = "user"
    KEY = "key"
    MODEL = "model"
    GRANT = "grant"
    ORGANIZATION = "organization"


class Rule(StrEnum):
    """How it is counted. The values are known to the scripts.

    BUCKET: a bucket of `limit` units that refills evenly in the window (GCRA).
    CALENDAR: `limit` units in each window, counted from midnight UTC.
    SLOTS: `limit` requests at once.
    BUDGET: money, held while a request runs and spent when it is settled.
    """

    BUCKET = "bucket"
    CALENDAR = "calendar"
    SLOTS = "slots"
    BUDGET = "budget"


class Unit(StrEnum):
    """What one request takes: itself, or the tokens it may use. Values are parts of OpenAI's header names."""

    REQUESTS = "requests"
    TOKENS = "tokens"


LIMITED_SCOPES: Final = (Scope.USER, Scope.KEY, Scope.MODEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRow:
    """One kind of limit.

    Attributes:
        name: its identity in metrics, headers and Redis.
        setting: the field of `Limits`, and of the message in which auth sends it; "" for budgets.
        scopes: whose limits it may be.
        rule: how it is counted.
        unit: what a request takes of it.
        window_s: seconds in which a bucket refills, or the length of a calendar window; 0: no window.
        retry_s: seconds after which trying again may help when nobody can know; 0: it follows from the window.
        reason: what a refusal is called.
        text: what a refusal says, with {subject} and {limit}.
        header_unit: the unit in RateLimit-Policy, "" for requests.
    """

    name: Dimension
    setting: str = ""
    scopes: tuple[Scope, ...] = LIMITED_SCOPES
    rule: Rule
    unit: Unit = Unit.REQUESTS
    window_s: int = 0
    retry_s: float = 0.0
    reason: ErrorReason
    text: str
    header_unit: str = ""

    @property
    def amounts(self) -> str:
        """Return what its limits are amounts of."""
        return "micro_rub" if self.rule is Rule.BUDGET else self.unit.value

    @property
    def policy(self) -> str:
        """Return its parameters in RateLimit-Policy."""
        window = f";w={self.window_s}" if self.window_s else ""
        return window + (f';qu="{self.header_unit}"' if self.header_unit else "")


DIMENSIONS: Final = (
    DimensionRow(
        name=Dimension.REQUESTS_PER_MINUTE,
        setting="requests_per_minute",
        rule=Rule.BUCKET,
        window_s=60,
        reason=ErrorReason.RATE_LIMIT_EXCEEDED,
        text="Too many requests a minute for this {subject}: the limit is {limit}.",
    ),
    DimensionRow(
        name=Dimension.REQUESTS_PER_DAY,
        setting="requests_per_day",
        rule=Rule.CALENDAR,
        window_s=86_400,
        reason=ErrorReason.QUOTA_EXCEEDED,
        text="The daily quota of this {subject} is used up: the limit is {limit} requests.",
    ),
    DimensionRow(
        name=Dimension.TOKENS_PER_MINUTE,
        setting="tokens_per_minute",
        rule=Rule.BUCKET,
        unit=Unit.TOKENS,
        window_s=60,
        reason=ErrorReason.RATE_LIMIT_EXCEEDED,
        text="Too many tokens a minute for this {subject}: the limit is {limit}.",
        header_unit="tokens",
    ),
    DimensionRow(
        name=Dimension.TOKENS_PER_DAY,
        setting="tokens_per_day",
        rule=Rule.CALENDAR,
        unit=Unit.TOKENS,
        window_s=86_400,
        reason=ErrorReason.QUOTA_EXCEEDED,
        text="The daily quota of this {subject} is used up: the limit is {limit} tokens.",
        header_unit="tokens",
    ),
    DimensionRow(
        name=Dimension.CONCURRENCY,
        setting="concurrent_requests",
        rule=Rule.SLOTS,
        retry_s=1.0,
        reason=ErrorReason.CONCURRENT_LIMIT,
        text="Too many requests at once for this {subject}: the limit is {limit}.",
        header_unit="concurrent-requests",
    ),
    DimensionRow(
        name=Dimension.BUDGET,
        scopes=(Scope.USER, Scope.KEY, Scope.GRANT, Scope.ORGANIZATION),
        rule=Rule.BUDGET,
        reason=ErrorReason.BUDGET_EXCEEDED,
        text="The budget of this {subject} does not cover the request.",
    ),
)
"""In the order in which a request is checked and in which the headers name them."""

ROWS: Final = {row.name: row for row in DIMENSIONS}
LIMITED: Final = tuple(row for row in DIMENSIONS if row.setting)
RATES: Final = tuple(row for row in LIMITED if row.window_s)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one subject; 0 means "no limit here". `by_name` has those that are set, by the name of their row."""

    requests_per_minute: int = 0
    requests_per_day: int = 0
    tokens_per_minute: int = 0
    concurrent_requests: int = 0
    tokens_per_day: int = 0
    by_name: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Limits live as long as a verified key; every request of the key reads this.
        given = {row.name.value: int(getattr(self, row.setting)) for row in LIMITED}
        object.__setattr__(self, "by_name", {name: limit for name, limit in given.items() if limit})


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """What one caller may use: in all, with this key or application, on each model version."""

    user: Limits = NO_LIMITS
    key: Limits = NO_LIMITS
    model: Limits = NO_LIMITS


NOT_LIMITED: Final = CallerLimits()
