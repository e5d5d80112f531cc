"""Bodies of /v1/alerts and /v1/webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from services.gateway.edge.reading.json_body import StrictModel

Text = StrictStr
Percent = Annotated[StrictInt, Field(ge=1, le=100)]


class RuleOrderBody(StrictModel):
    """Of what somebody wants to be told, and by which channels: ids of webhooks and of channels alike."""

    kind: Text = Field(max_length=64, description="budget.threshold, anomaly.detected and the like.")
    channels: list[Text] = Field(min_length=1, max_length=20)
    subject: Text = Field(
        "", max_length=256, description="user:, key:, grant: or organization:<id>; empty: all of them."
    )
    thresholds: list[Percent] = Field(default=[], max_length=10, description="Percent; 50, 80, 90 and 100 if none.")
    cooldown_s: StrictInt = Field(0, ge=0, le=7 * 86_400)
    enabled: StrictBool = True


class RuleChangeBody(StrictModel):
    """What a rule says from now on; what is left out stays."""

    channels: list[Text] | None = Field(None, min_length=1, max_length=20)
    subject: Text | None = Field(None, max_length=256)
    thresholds: list[Percent] | None = Field(None, max_length=10)
    cooldown_s: StrictInt | None = Field(None, ge=0, le=7 * 86_400)
    enabled: StrictBool | None = None


class RuleBody(BaseModel):
    """A rule."""

    id: str
    kind: str
    channels: list[str]
    subject: str | None
    thresholds: list[int]
    cooldown_s: int
    enabled: bool
    created_at: datetime | None
    made_by: str | None


class RuleList(BaseModel):
    """All rules of a user."""

    data: list[RuleBody]


class ChannelOrderBody(StrictModel):
    """A way to somebody: by mail to the account's confirmed address, or to a Telegram chat."""

    kind: Literal["email", "telegram"]
    name: Text = Field("", max_length=100)
    chat_id: Text = Field("", max_length=64, description="Of Telegram: the chat's number, or @name of a channel.")


class ChannelChangeBody(StrictModel):
    """What to change; what is left out stays."""

    name: Text | None = Field(None, max_length=100)
    enabled: StrictBool | None = None


class ConfirmationBody(StrictModel):
    """The code that was sent to the chat."""

    code: Text = Field(min_length=1, max_length=32)


class ChannelBody(BaseModel):
    """A channel. `disabled` says why it is not used: owner, failing, gone, unsubscribed, unconfirmed."""

    id: str
    kind: str
    name: str
    chat_id: str | None
    enabled: bool
    disabled: str | None
    failing_since: datetime | None
    created_at: datetime | None
    made_by: str | None


class ChannelList(BaseModel):
    """All channels of a user but webhooks."""

    data: list[ChannelBody]


class WebhookOrderBody(StrictModel):
    """An address that is told of events."""

    url: Text = Field(max_length=2048)
    name: Text = Field("", max_length=100)


class WebhookChangeBody(StrictModel):
    """What to change; what is left out stays."""

    url: Text | None = Field(None, max_length=2048)
    name: Text | None = Field(None, max_length=100)
    enabled: StrictBool | None = None


class WebhookBody(BaseModel):
    """A webhook. `disabled` says why it is not called: owner, failing, gone."""

    id: str
    url: str
    name: str
    enabled: bool
    disabled: str | None
    failing_since: datetime | None
    created_at: datetime | None
    made_by: str | None


class WebhookMade(WebhookBody):
    """A webhook with a fresh secret, which is shown this once."""

    secret: str


class WebhookList(BaseModel):
    """All webhooks of a user."""

    data: list[WebhookBody]


class SecretRotationBody(StrictModel):
    """How long the old secret signs beside the new one."""

    overlap_s: StrictInt = Field(86_400, ge=0, le=7 * 86_400)


class DeliveryAttemptBody(BaseModel):
    """One attempt. `problem` is null when it arrived."""

    at: datetime | None
    status: int | None
    problem: str | None
    duration_ms: int


class DeliveryBody(BaseModel):
    """An event on its way; `event_id` is what receivers tell repetitions by."""

    id: str
    event_id: str
    type: str
    data: dict[str, Any]
    occurred_at: datetime | None
    state: str
    next_attempt_at: datetime | None
    attempts: list[DeliveryAttemptBody]


class DeliveryList(BaseModel):
    """Some deliveries, newest first; `next_page` is null on the last page."""

    data: list[DeliveryBody]
    next_page: str | None


class SentBody(BaseModel):
    """It is on its way; the deliveries tell what becomes of it."""

    id: str
    sent: bool = True


class DeletedBody(BaseModel):
    """It is gone."""

    id: str
    deleted: bool = True
