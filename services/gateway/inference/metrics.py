"""What inference counts. Labels come from closed sets: catalogue ids, outcomes, causes; never from callers."""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram

from services.gateway.metering.usage_record import Status, UsageRecord

FIRST_TOKEN: Final = Histogram(
    "razvilka_gateway_first_token_seconds",
    "Seconds until the first token of a stream was sent.",
    ["provider", "model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TOKENS: Final = Counter("razvilka_gateway_tokens_total", "Tokens billed.", ["provider", "model", "direction"])
CACHED_TOKENS: Final = Counter(
    "razvilka_gateway_cached_tokens_total",
    "Of the input tokens billed: those that the provider had cached.",
    ["provider", "model"],
)
COST: Final = Counter("razvilka_gateway_cost_micro_rub_total", "Micro-roubles billed.", ["provider", "model"])
ENDED: Final = Counter(
    "razvilka_gateway_completions_total", "Paid requests by how they ended.", ["provider", "model", "outcome"]
)
ESTIMATE_ERROR: Final = Histogram(
    "razvilka_gateway_estimate_ratio",
    "Our count of tokens divided by the provider's.",
    ["provider", "model", "direction"],
    buckets=(0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2, 4),
)
CACHED: Final = Counter(
    "razvilka_gateway_cached_answers_total", "Requests that asked the cache: hit or miss.", ["outcome"]
)
IDEMPOTENT: Final = Counter(
    "razvilka_gateway_idempotent_requests_total",
    "Requests with an idempotency key: begun, taken_over (from a request that died), joined (waited for the answer), "
    "replayed, other_request, in_progress and unavailable (all refused).",
    ["outcome"],
)
CUT: Final = Counter("razvilka_gateway_answers_cut_total", "Answers that ended early, by cause.", ["cause"])


@cache
def first_token(provider: str, model: str) -> Histogram:
    """Return the bound histogram."""
    return FIRST_TOKEN.labels(provider, model)


class Billed:
    """The counters of one model, bound once."""

    __slots__ = ("_ended", "cached", "cost", "input_ratio", "output_ratio", "tokens_in", "tokens_out")

    def __init__(self, provider: str, model: str) -> None:
        self.tokens_in = TOKENS.labels(provider, model, "input")
        self.tokens_out = TOKENS.labels(provider, model, "output")
        self.cached = CACHED_TOKENS.labels(provider, model)
        self.cost = COST.labels(provider, model)
        self._ended = {status: ENDED.labels(provider, model, status.name.lower()) for status in Status}
        self.input_ratio = ESTIMATE_ERROR.labels(provider, model, "input")
        self.output_ratio = ESTIMATE_ERROR.labels(provider, model, "output")

    def of(self, status: Status) -> Counter:
        """Return the counter of requests that ended so."""
        return self._ended[status]


@cache
def billed(provider: str, model: str) -> Billed:
    """Return the bound counters of one model."""
    return Billed(provider, model)


def count(row: UsageRecord) -> None:
    """Count a row; an answer from the cache has cost its provider no tokens."""
    bound = billed(row.provider, row.model)
    if row.cache_status:
        CACHED.labels(row.cache_status).inc()
    if row.cache_status != "hit":
        bound.tokens_in.inc(row.tokens_input)
        bound.tokens_out.inc(row.tokens_output)
        if row.tokens_cached:
            bound.cached.inc(row.tokens_cached)
    bound.cost.inc(row.cost_micro_rub)
    bound.of(row.status).inc()


def compare(row: UsageRecord, tokens_input: int, tokens_output: int) -> None:
    """Measure how far our own counts are from the provider's."""
    bound = billed(row.provider, row.model)
    if row.tokens_input:
        bound.input_ratio.observe(tokens_input / row.tokens_input)
    if row.tokens_output > row.tokens_reasoning:
        bound.output_ratio.observe(tokens_output / (row.tokens_output - row.tokens_reasoning))
