"""Metrics of the router. Labels come from the catalogue and from ErrorReason: closed sets."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from prometheus_client import Counter, Gauge, Histogram

from servicekit.errors import ErrorReason

ATTEMPTS: Final = Counter(
    "razvilka_router_attempts_total",
    "Calls to a provider's model by outcome (OK, an error reason, or CANCELLED: its caller left).",
    ["provider", "model", "outcome"],
)
FIRST_CONTENT: Final = Histogram(
    "razvilka_router_first_content_seconds",
    "Seconds from the call to its first content (a whole answer: to its end).",
    ["provider", "model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120),
)
RETRIES: Final = Counter(
    "razvilka_router_retries_total", "Calls repeated to the same model, by reason.", ["provider", "reason"]
)
FALLBACKS: Final = Counter(
    "razvilka_router_fallbacks_total", "Requests moved on to another model, by reason.", ["provider", "model", "reason"]
)
TOKENS: Final = Counter(
    "razvilka_router_tokens_total", "Tokens by direction (input, output).", ["provider", "model", "direction"]
)
UNSAID: Final = Counter(
    "razvilka_router_usage_unsaid_total", "Answers whose usage the provider did not say.", ["provider"]
)
TOKENIZED: Final = Counter(
    "razvilka_router_tokenized_answers_total",
    "Answers without usage that the provider's tokenizer was asked about, by outcome (counted, uncountable, late, "
    "failed): all but the counted are billed by the gateway's own count.",
    ["provider", "outcome"],
)
BAD_USAGE: Final = Counter(
    "razvilka_router_bad_usage_total", "Usage figures of providers that are no counts, or contradict each other."
)
STREAM_REWRITES: Final = Counter(
    "razvilka_router_stream_rewrites_total", "Streams whose provider changed text that was already out.", ["provider"]
)
UNKNOWN_FINISHES: Final = Counter(
    "razvilka_router_unknown_finishes_total", "Answers with a finish reason we do not know.", ["provider"]
)
TOKEN_REFRESHES: Final = Counter(
    "razvilka_router_token_refreshes_total",
    "Provider access tokens got, by source (issued, shared).",
    ["provider", "source"],
)
TOKEN_REFRESH_FAILURES: Final = Counter(
    "razvilka_router_token_refresh_failures_total",
    "Times that a provider gave no access token when one was needed.",
    ["provider"],
)
MODEL_SHUTDOWN: Final = Gauge(
    "razvilka_router_model_shutdown_timestamp_seconds",
    "Unix time from which a model is not served any more; models without such a date have no series.",
    ["provider", "model"],
)
MODEL_RESOLVED: Final = Gauge(
    "razvilka_router_model_resolved_info",
    "Always 1: the provider's model that a model of the catalogue stands for now, as the catalogue writes it.",
    ["provider", "model", "resolved"],
)
CATALOG_RELOADS: Final = Counter(
    "razvilka_router_catalog_reloads_total", "Reloads of the catalogue by outcome (ok, refused).", ["outcome"]
)
CATALOG_MODELS: Final = Gauge(
    "razvilka_router_catalog_models", "Models that can be asked for, by provider.", ["provider"]
)
CATALOG_REFUSED: Final = Gauge(
    "razvilka_router_catalog_refused",
    "1 while what its source says is refused and the last good state counts, by source (files, overrides).",
    ["source"],
)
CANARY_ANSWERS: Final = Counter(
    "razvilka_router_canary_answers_total",
    "Tries of the version that a canary's side is answered by, by outcome (ok, failed).",
    ["channel", "side", "outcome"],
)
CANARY_FIRST_CONTENT: Final = Histogram(
    "razvilka_router_canary_first_content_seconds",
    "Seconds to the first content (a whole answer: to its end), by side of a canary.",
    ["channel", "side"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60),
)
CANARY_TOKENS: Final = Counter(
    "razvilka_router_canary_output_tokens_total", "Tokens of answers, by side of a canary.", ["channel", "side"]
)
CANARY_COST: Final = Counter(
    "razvilka_router_canary_cost_micro_rub_total",
    "Micro-roubles that answers cost by the catalogue, by side of a canary.",
    ["channel", "side"],
)
STORE_FAILURES: Final = Counter(
    "razvilka_router_store_failures_total", "PostgreSQL or Redis could not be used; served without.", ["store"]
)
QUEUE_WAITING: Final = Gauge(
    "razvilka_router_queue_waiting", "Calls that wait here for a slot of a provider's quota, by line.", ["line"]
)
QUEUE_AHEAD: Final = Histogram(
    "razvilka_router_queue_ahead",
    "Calls of all routers that stood before one when it joined the line.",
    ["line"],
    buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
QUEUE_WAIT: Final = Histogram(
    "razvilka_router_queue_wait_seconds",
    "Seconds that calls have waited for their slot; most wait for none.",
    ["line"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120),
)
QUEUE_REFUSALS: Final = Counter(
    "razvilka_router_queue_refusals_total",
    "Calls that got no slot: the line was full (full), their turn would have come too late (too_long), or their time "
    "ran out (late).",
    ["line", "reason"],
)
SLOTS_IN_USE: Final = Gauge("razvilka_router_slots_in_use", "Slots that calls of this router use, by line.", ["line"])
SLOTS_QUOTA: Final = Gauge(
    "razvilka_router_slots_quota", "Slots that the quota has for all routers together, by line; 0: no limit.", ["line"]
)
SLOT_EXCHANGES: Final = Counter(
    "razvilka_router_slot_exchanges_total",
    "Statements to the lines in Redis by outcome (ok, lost).",
    ["line", "outcome"],
)
SLOTS_ALONE: Final = Gauge(
    "razvilka_router_slots_alone", "1 while Redis is lost and this router uses its share of the quota.", ["line"]
)


class LineMetrics(NamedTuple):
    """The metrics of one queue, with labels bound once."""

    waiting: Gauge
    ahead: Histogram
    wait: Histogram
    in_use: Gauge
    told: Counter
    alone: Gauge


@cache
def of_line(line: str) -> LineMetrics:
    """Return what is measured of a line."""
    # There from the start: of a counter that begins with its first refusal Prometheus sees no increase.
    for reason in ("full", "too_long", "late"):
        QUEUE_REFUSALS.labels(line, reason)
    return LineMetrics(
        QUEUE_WAITING.labels(line),
        QUEUE_AHEAD.labels(line),
        QUEUE_WAIT.labels(line),
        SLOTS_IN_USE.labels(line),
        SLOT_EXCHANGES.labels(line, "ok"),
        SLOTS_ALONE.labels(line),
    )


class ModelMetrics(NamedTuple):
    """The metrics of one model, with labels bound once: `labels()` costs more than the counting."""

    answered: Counter
    first_content: Histogram
    tokens_in: Counter
    tokens_out: Counter


def begin_attempts(provider: str, model: str) -> None:
    """Let the failures that an alarm counts be there before the first: a counter that begins with 5 never rose."""
    for reason in ErrorReason:
        if reason.value.startswith("PROVIDER_"):
            ATTEMPTS.labels(provider, model, reason.value)


@cache
def of_model(provider: str, model: str) -> ModelMetrics:
    """Return what every answer of a model counts."""
    return ModelMetrics(
        ATTEMPTS.labels(provider, model, "OK"),
        FIRST_CONTENT.labels(provider, model),
        TOKENS.labels(provider, model, "input"),
        TOKENS.labels(provider, model, "output"),
    )
