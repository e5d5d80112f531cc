"""Metrics of notifications."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter(
    "razvilka_usage_notifications_total",
    "Attempts to deliver a notification, by channel and outcome: delivered, postponed (tried again), failed.",
    ["channel", "outcome"],
)
EVENTS = Counter("razvilka_usage_notification_events_total", "Events that rules told of, by kind.", ["kind"])
PENDING = Gauge("razvilka_usage_notifications_pending", "Deliveries on their way: waiting, or to be tried again.")
DISABLED = Counter(
    "razvilka_usage_notification_channels_disabled_total",
    "Channels that were switched off because nothing arrived, by channel.",
    ["channel"],
)
ATTEMPT_SECONDS = Histogram(
    "razvilka_usage_notification_attempt_seconds",
    "Seconds of one attempt, by channel.",
    ["channel"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
