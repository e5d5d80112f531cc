"""Metrics of the column store."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

FED_ROWS = Counter("razvilka_usage_column_store_fed_rows_total", "Usage rows that were sent to the column store.")
BEHIND_SECONDS = Gauge(
    "razvilka_usage_column_store_behind_seconds",
    "Age of the oldest change of a usage row that the column store has not been told of; 0: it has all.",
)
UNFILLED = Gauge(
    "razvilka_usage_column_store_unfilled",
    "1 while rows from before the feed are not all copied, and `column_store_command fill` is due; PostgreSQL answers.",
)
ANSWERS = Counter(
    "razvilka_usage_analytics_answers_total",
    "Questions of analytics, patterns and reports while the column store is in use, by the store that answered.",
    ["store"],
)
# An increase is seen of what was 0 before.
for _store in ("clickhouse", "postgres"):
    ANSWERS.labels(_store)
