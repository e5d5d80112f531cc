"""Metrics of reports."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REPORTS = Counter(
    "razvilka_usage_reports_total",
    "Reports whose making ended, by format and outcome: done, failed (it says why), lost (another instance took over).",
    ["format", "outcome"],
)
REPORT_SECONDS = Histogram(
    "razvilka_usage_report_seconds",
    "Seconds to make and keep a report.",
    ["format"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
