"""Notifications as the gateway sees them, and as they travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import msgspec
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.timestamps import timestamp_to_proto
from services.gateway.admission.periods import moment as unix_moment
from services.gateway.admission.periods import window_of
from services.gateway.clients.budgets.shared_spend import Membership
from services.gateway.clients.notifications.owners import Maker, OwnedBudget, Owner, Standing
from services.gateway.clients.timestamps import moment


class ChannelKind(IntEnum):
    """A way to somebody."""

    EMAIL = pb.CHANNEL_KIND_EMAIL
    WEBHOOK = pb.CHANNEL_KIND_WEBHOOK
    TELEGRAM = pb.CHANNEL_KIND_TELEGRAM


_STANDING_TO_PROTO: Final = {
    Standing.LIVE: pb.MAKER_STANDING_LIVE,
    Standing.DISABLED: pb.MAKER_STANDING_DISABLED,
    Standing.ENDED: pb.MAKER_STANDING_ENDED,
}


@dataclass(frozen=True, slots=True)
class WatchedPage:
    """Who has something, and by which credentials it was made, as usage had it at a moment.

    `as_of` is usage's own, and goes back to it; None: it does not know of makers.
    """

    user_ids: list[str]
    makers: list[str]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel; `target` is a URL, a chat, or nothing. `maker` is what it ends with; "": its owner made it."""

    id: str
    kind: ChannelKind
    name: str
    target: str
    disabled: str
    failing_since: datetime | None
    created_at: datetime | None
    maker: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RuleOrder:
    """What a rule is to say."""

    kind: str
    channels: tuple[str, ...]
    subject: str
    thresholds: tuple[int, ...]
    cooldown_s: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule. `maker` is what it ends with; "": its owner made it."""

    id: str
    says: RuleOrder
    created_at: datetime | None
    maker: str = ""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt to deliver."""

    at: datetime | None
    status: int
    problem: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """An event on its way by a channel."""

    id: str
    event_id: str
    kind: str
    facts: Any
    occurred_at: datetime | None
    state: str
    next_attempt_at: datetime | None
    attempts: tuple[AttemptView, ...]


def channel_from_proto(message: pb.NotificationChannel, secret: str = "") -> ChannelView:
    """Return a channel; of a webhook that was just made, with its secret."""
    return ChannelView(
        message.id,
        ChannelKind(message.kind),
        message.name,
        message.target,
        message.disabled,
        moment(message, "failing_since"),
        moment(message, "created_at"),
        message.maker,
        secret,
    )


def rule_to_proto(order: RuleOrder, maker: str) -> pb.NotificationRule:
    """Return what a rule is to say, and with what it ends."""
    return pb.NotificationRule(
        kind=order.kind,
        subject=order.subject,
        thresholds=order.thresholds,
        channel_ids=order.channels,
        cooldown_s=order.cooldown_s,
        enabled=order.enabled,
        maker=maker,
    )


def rule_from_proto(message: pb.NotificationRule) -> RuleView:
    """Return a rule."""
    says = RuleOrder(
        message.kind,
        tuple(message.channel_ids),
        message.subject,
        tuple(message.thresholds),
        message.cooldown_s,
        message.enabled,
    )
    return RuleView(message.id, says, moment(message, "created_at"), message.maker)


def delivery_from_proto(message: pb.NotificationDelivery) -> DeliveryView:
    """Return a delivery with its attempts."""
    return DeliveryView(
        message.id,
        message.event_id,
        message.kind,
        msgspec.json.decode(message.facts_json),
        moment(message, "occurred_at"),
        message.state,
        moment(message, "next_attempt_at"),
        tuple(
            [AttemptView(moment(each, "at"), each.status, each.problem, each.duration_ms) for each in message.attempts]
        ),
    )


def person_to_proto(owner: Owner, at: datetime) -> pb.WatchedPerson:
    """Return what is known of somebody; periods are those that run at a moment."""
    return pb.WatchedPerson(
        user_id=owner.user_id,
        email=owner.email,
        language=owner.language,
        time_zone=owner.time_zone,
        budgets=[_budget(budget, at) for budget in owner.budgets],
        keys=[
            pb.WatchedKey(id=key.id, name=key.name, expires_at=timestamp_to_proto(key.expires_at)) for key in owner.keys
        ],
    )


def maker_to_proto(maker: Maker) -> pb.WatchedMaker:
    """Return how it stands with a credential."""
    return pb.WatchedMaker(subject=maker.subject, standing=_STANDING_TO_PROTO[maker.standing], scopes=maker.scopes)


def organization_to_proto(subject: str, members: Sequence[Membership]) -> pb.WatchedOrganization:
    """Return who belonged to an organization and when."""
    told = [
        pb.WatchedOrganization.Membership(
            user_id=each.user_id, joined_at=timestamp_to_proto(each.joined_at), left_at=timestamp_to_proto(each.left_at)
        )
        for each in members
    ]
    return pb.WatchedOrganization(subject=subject, memberships=told)


def _budget(budget: OwnedBudget, at: datetime) -> pb.WatchedBudget:
    window = window_of(budget.period, budget.time_zone, int(at.timestamp()))
    return pb.WatchedBudget(
        subject=budget.subject,
        name=budget.name,
        limit_micro_rub=budget.limit_micro_rub,
        period=budget.period.label,
        starts_at=timestamp_to_proto(unix_moment(window.starts_s)) if window else None,
        ends_at=timestamp_to_proto(unix_moment(window.ends_s)) if window else None,
    )
