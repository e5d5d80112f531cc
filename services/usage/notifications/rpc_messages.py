"""protobuf <-> domain of notifications, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import invalid_parameter
from servicekit.mail.smtp import WrittenMail
from servicekit.timestamps import nearest_from_proto, timestamp_to_proto
from services.usage.domain.maker import Maker, Makers, Standing
from services.usage.notifications.channels import Changes
from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Attempt, Delivery
from services.usage.notifications.domain.kinds import ChannelKind
from services.usage.notifications.domain.person import (
    LANGUAGES,
    EndingKey,
    EndingModel,
    Membership,
    Person,
    Watched,
    WatchedBudget,
)
from services.usage.notifications.domain.rule import NewRule, Rule, new_rule
from services.usage.notifications.watching import WatchedPage
from services.usage.rpc_values import moment_if_set

Members = Mapping[str, tuple[Membership, ...]]
KIND_FROM_PROTO: Final[dict[pb.ChannelKind.ValueType, ChannelKind]] = {
    pb.CHANNEL_KIND_EMAIL: ChannelKind.EMAIL,
    pb.CHANNEL_KIND_WEBHOOK: ChannelKind.WEBHOOK,
    pb.CHANNEL_KIND_TELEGRAM: ChannelKind.TELEGRAM,
}
STANDING_FROM_PROTO: Final = {
    pb.MAKER_STANDING_LIVE: Standing.LIVE,
    pb.MAKER_STANDING_DISABLED: Standing.DISABLED,
    pb.MAKER_STANDING_ENDED: Standing.ENDED,
}
CHANGEABLE: Final = frozenset({"subject", "thresholds", "channel_ids", "cooldown_s", "enabled"})
KIND_TO_PROTO: Final = {kind: number for number, kind in KIND_FROM_PROTO.items()}


def kind_from_proto(number: pb.ChannelKind.ValueType) -> ChannelKind:
    """Return the kind of a channel.

    Raises:
        InvalidRequest: there is none of this number.
    """
    if number not in KIND_FROM_PROTO:
        raise invalid_parameter("kind", "There is no such kind of channel.")
    return KIND_FROM_PROTO[number]


def _channel_ids(texts: Sequence[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts]
    except ValueError as exc:
        raise invalid_parameter("channels", "One of the channels does not exist.") from exc


def channel_to_proto(channel: Channel) -> pb.NotificationChannel:
    """Return a channel without its secrets."""
    return pb.NotificationChannel(
        id=str(channel.id),
        kind=KIND_TO_PROTO[channel.kind],
        name=channel.name,
        target=channel.target,
        disabled=channel.disabled,
        failing_since=timestamp_to_proto(channel.failing_since),
        created_at=timestamp_to_proto(channel.created_at),
        maker=channel.maker,
    )


def changes_from_proto(request: pb.ChangeChannelRequest) -> Changes:
    """Return what is to change."""
    return Changes(
        name=request.name if request.HasField("name") else None,
        target=request.target if request.HasField("target") else None,
        enabled=request.enabled if request.HasField("enabled") else None,
        maker=request.maker if request.HasField("maker") else None,
    )


def secret_of(channel: Channel) -> str:
    """Return the youngest secret of a webhook; the code of a chat is told there only."""
    return channel.secrets[0].value if channel.kind is ChannelKind.WEBHOOK else ""


def rule_to_proto(rule: Rule) -> pb.NotificationRule:
    """Return a rule."""
    says = rule.says
    return pb.NotificationRule(
        id=str(rule.id),
        kind=says.kind,
        subject=says.subject,
        thresholds=says.thresholds,
        channel_ids=[str(id) for id in says.channel_ids],
        cooldown_s=says.cooldown_s,
        enabled=says.enabled,
        created_at=timestamp_to_proto(rule.created_at),
        maker=rule.maker,
    )


def rule_from_proto(message: pb.NotificationRule, kind: str) -> NewRule:
    """Return what a rule of a kind is to say.

    Raises:
        InvalidRequest: it makes no sense; the field is named.
    """
    return new_rule(
        kind,
        _channel_ids(message.channel_ids),
        subject=message.subject,
        thresholds=message.thresholds,
        cooldown_s=message.cooldown_s,
        enabled=message.enabled,
    )


def changed_rule(rule: pb.NotificationRule, given: pb.NotificationRule, fields: Sequence[str]) -> pb.NotificationRule:
    """Return a rule with the fields of another that are named.

    Raises:
        InvalidRequest: a rule has no such field, or it never changes.
    """
    if unknown := set(fields) - CHANGEABLE:
        raise invalid_parameter("fields", f"These do not change: {', '.join(sorted(unknown))[:200]}.")
    for name in fields:
        rule.ClearField(name)  # type: ignore[arg-type]
        value = getattr(given, name)
        if isinstance(value, str | bool | int):
            setattr(rule, name, value)
        else:
            getattr(rule, name).extend(value)
    return rule


def delivery_to_proto(delivery: Delivery) -> pb.NotificationDelivery:
    """Return a delivery with its attempts."""
    event = delivery.event
    return pb.NotificationDelivery(
        id=str(delivery.id),
        event_id=event.public_id,
        kind=event.kind,
        facts_json=msgspec.json.encode(event.facts).decode(),
        occurred_at=timestamp_to_proto(event.occurred_at),
        state=delivery.state,
        next_attempt_at=timestamp_to_proto(delivery.next_attempt_at),
        created_at=timestamp_to_proto(delivery.created_at),
        attempts=[_attempt_to_proto(attempt) for attempt in delivery.attempts],
    )


def _attempt_to_proto(attempt: Attempt) -> pb.NotificationAttempt:
    return pb.NotificationAttempt(
        number=attempt.number,
        at=timestamp_to_proto(attempt.at),
        status=attempt.status,
        problem=attempt.problem,
        duration_ms=attempt.duration_ms,
    )


def members_from_proto(messages: Sequence[pb.WatchedOrganization]) -> Members:
    """Return, by the subjects of organizations, whose spending is theirs."""
    return {
        message.subject: tuple(
            Membership(each.user_id, nearest_from_proto(each.joined_at), moment_if_set(each, "left_at"))
            for each in message.memberships
        )
        for message in messages
    }


def watched_from_proto(message: pb.WatchedPerson, members: Members) -> Watched:
    """Return what is known of somebody."""
    language = message.language if message.language in LANGUAGES else LANGUAGES[0]
    person = Person(message.user_id, message.email, language, message.time_zone or "UTC")
    return Watched(
        person,
        tuple([_budget_from_proto(budget, members) for budget in message.budgets if budget.limit_micro_rub > 0]),
        tuple([EndingKey(key.id, key.name, nearest_from_proto(key.expires_at)) for key in message.keys]),
    )


def _budget_from_proto(message: pb.WatchedBudget, members: Members) -> WatchedBudget:
    return WatchedBudget(
        subject=message.subject,
        name=message.name,
        limit_micro_rub=message.limit_micro_rub,
        period=message.period,
        starts_at=moment_if_set(message, "starts_at"),
        ends_at=moment_if_set(message, "ends_at"),
        members=members.get(message.subject, ()),
    )


def models_from_proto(messages: Sequence[pb.WatchedModel]) -> list[EndingModel]:
    """Return the models that end."""
    return [
        EndingModel(message.model, nearest_from_proto(message.shutdown_at), message.successor) for message in messages
    ]


def makers_from_proto(request: pb.PutPeopleRequest) -> Makers | None:
    """Return what is known of makers; None: of none. What a version does not know of one judges nothing."""
    if not request.HasField("makers_as_of"):
        return None
    known = [
        Maker(each.subject, STANDING_FROM_PROTO[each.standing], frozenset(each.scopes))
        for each in request.makers
        if each.standing in STANDING_FROM_PROTO and "\0" not in each.subject
    ]
    return Makers(known, nearest_from_proto(request.makers_as_of))


def watched_to_proto(page: WatchedPage) -> pb.ListWatchedResponse:
    """Return who has something, and who made it."""
    return pb.ListWatchedResponse(user_ids=page.user_ids, makers=page.makers, as_of=timestamp_to_proto(page.as_of))


def mail_to_proto(mail: tuple[WrittenMail, datetime]) -> pb.OutboxMail:
    """Return a mail of the local outbox."""
    written, sent_at = mail
    return pb.OutboxMail(
        email=written.email, subject=written.subject, text=written.text, sent_at=timestamp_to_proto(sent_at)
    )
