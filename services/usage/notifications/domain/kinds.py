"""Kinds of events and of channels."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """What happened; webhooks carry the value as `type`."""

    BUDGET_THRESHOLD = "budget.threshold"
    """A share of a budget is spent."""
    BUDGET_FORECAST = "budget.forecast"
    """At the present pace a budget ends before its period does."""
    BUDGET_RECOVERED = "budget.recovered"
    """A budget that was spent has room again within its period; told to whoever was told that it was spent."""
    ANOMALY_DETECTED = "anomaly.detected"
    MODEL_SUNSET = "model.sunset"
    """A model that the user calls has a date on which it ends."""
    KEY_EXPIRING = "key.expiring"
    REPORT_READY = "report.ready"
    REPORT_FAILED = "report.failed"
    """There will be no such report; told to whoever would be told that it is ready."""
    DAILY_SUMMARY = "usage.daily_summary"
    WEBHOOK_DISABLED = "webhook.disabled"
    """A channel failed for days and is not called any more; told by all other channels of its owner."""
    TEST = "notification.test"
    """Somebody pressed the test button."""


# What is told by the rules of something else.
TOLD_AS: Final = {
    EventKind.BUDGET_RECOVERED: EventKind.BUDGET_THRESHOLD,
    EventKind.REPORT_FAILED: EventKind.REPORT_READY,
}
# What a rule can be about; the others need none.
RULE_KINDS: Final = tuple(
    kind for kind in EventKind if kind not in {*TOLD_AS, EventKind.WEBHOOK_DISABLED, EventKind.TEST}
)


class ChannelKind(StrEnum):
    """The kind of a channel."""

    EMAIL = "email"
    """To the confirmed address of the account, whatever it is at that moment."""
    WEBHOOK = "webhook"
    TELEGRAM = "telegram"


class Disabled(StrEnum):
    """Why a channel is not used; empty: it is."""

    NO = ""
    OWNER = "owner"
    """Its owner switched it off."""
    FAILING = "failing"
    """Nothing arrived for days."""
    GONE = "gone"
    """The receiver said that it will never take anything again: 410, or a Telegram chat that is none."""
    UNSUBSCRIBED = "unsubscribed"
    """By the link in a mail."""
    UNCONFIRMED = "unconfirmed"
    """Of a chat: the code that was sent there was not told yet."""
