"""The figures of an answer: sums are exact, money in whole micro-roubles, quantiles in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of a duration in milliseconds; None where there is no value."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The sums of a group of requests.

    Attributes:
        requests: of every status.
        errors: of those, how many failed.
        fallbacks: of those, how many were answered by another model than the first that was tried.
        tokens_input: cached ones among them.
        tokens_output: reasoning among them.
        cost_micro_rub: what was billed.
        saved_micro_rub: what cached tokens and answers would have cost more without a cache.
        output_ms: milliseconds between first and last token, of streams.
        tokens_streamed: tokens that were seen in these milliseconds: over them they are a speed.
    """

    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    tokens_input: int = 0
    tokens_output: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost_micro_rub: int = 0
    saved_micro_rub: int = 0
    output_ms: int = 0
    tokens_streamed: int = 0
    latency: Quantiles = Quantiles()
    first_token: Quantiles = Quantiles()


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one group in one bucket.

    Attributes:
        starts_at: the bucket's first moment; None: the question had no bucket.
        group: values in the order of `group_by`.
        is_other: it is all groups together that are not among the largest; `group` says nothing.
    """

    starts_at: datetime | None
    group: tuple[str, ...]
    figures: Figures
    is_other: bool = False
