"""What inference counts. Labels come from closed sets: catalogue ids, outcomes, causes; never from callers."""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram

FIRST_TOKEN: Final = Histogram(
    "razvilka_gateway_first_token_seconds",
    "Seconds until the first token of a stream was sent.",
    ["provider", "model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TOKENS: Final = Counter("razvilka_gateway_tokens_total", "Tokens billed.", ["provider", "model", "direction"])
COST: Final = Counter("razvilka_gateway_cost_micro_rub_total", "Micro-roubles billed.", ["provider", "model"])
ENDED: Final = Counter(
    "razvilka_gateway_completions_total", "Paid requests by how they ended.", ["provider", "model", "outcome"]
)
CUT: Final = Counter("razvilka_gateway_answers_cut_total", "Answers that ended early, by cause.", ["cause"])


@cache
def first_token(provider: str, model: str) -> Histogram:
    """Return the bound histogram."""
    return FIRST_TOKEN.labels(provider, model)


class Billed:
    """The counters of one model, bound once."""

    __slots__ = ("completed", "cost", "failed", "interrupted", "tokens_in", "tokens_out")

    def __init__(self, provider: str, model: str) -> None:
        self.tokens_in = TOKENS.labels(provider, model, "input")
        self.tokens_out = TOKENS.labels(provider, model, "output")
        self.cost = COST.labels(provider, model)
        self.completed = ENDED.labels(provider, model, "completed")
        self.interrupted = ENDED.labels(provider, model, "interrupted")
        self.failed = ENDED.labels(provider, model, "failed")


@cache
def billed(provider: str, model: str) -> Billed:
    """Return the bound counters of one model."""
    return Billed(provider, model)
