"""/v1/webhooks: addresses that are told of events, each signed with a secret of its own."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.notifications.views import ChannelKind, ChannelView
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.notifications.account_sync import AccountSync
from services.gateway.notifications.bodies import (
    DeletedBody,
    SecretRotationBody,
    WebhookBody,
    WebhookChangeBody,
    WebhookList,
    WebhookMade,
    WebhookOrderBody,
)
from services.gateway.notifications.channels import shared_facts

PATH: Final = "/v1/webhooks"
NEEDS: Final[Needs] = {
    f"GET {PATH}": Scope.USAGE_READ,
    f"POST {PATH}": Scope.NOTIFICATIONS_WRITE,
    f"PATCH {PATH}/{{channel_id}}": Scope.NOTIFICATIONS_WRITE,
    f"DELETE {PATH}/{{channel_id}}": Scope.NOTIFICATIONS_WRITE,
    f"POST {PATH}/{{channel_id}}/rotate": Scope.NOTIFICATIONS_WRITE,
}


def webhooks_router(notifications: NotificationClient, account_sync: AccountSync) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["notifications"])

    @router.get(PATH, response_model=WebhookList)
    async def list_webhooks(context: Context) -> dict[str, Any]:
        """List the webhooks in the order in which they were made, without their secrets."""
        channels = await notifications.list_channels(context.known_caller.user_id, context.call)
        return {"data": [webhook_body(each) for each in channels if each.kind is ChannelKind.WEBHOOK]}

    @router.post(PATH, response_model=WebhookMade, status_code=201)
    async def create_webhook(
        context: Context, order: Annotated[WebhookOrderBody, Depends(json_of(WebhookOrderBody))]
    ) -> dict[str, Any]:
        """Make a webhook. Its secret is in this answer and nowhere else; POST /v1/alerts says of what it is told."""
        caller = context.known_caller
        made = await notifications.create_channel(
            caller.user_id, ChannelKind.WEBHOOK, order.name, order.url, context.call, maker=caller.subject
        )
        await account_sync.sync_user(caller.user_id)
        return {**webhook_body(made), "secret": made.secret}

    @router.patch(PATH + "/{channel_id}", response_model=WebhookBody)
    async def change_webhook(
        context: Context, channel_id: str, change: Annotated[WebhookChangeBody, Depends(json_of(WebhookChangeBody))]
    ) -> dict[str, Any]:
        """Change what is given, and forget that it failed."""
        changed = await notifications.change_channel(
            context.known_caller.user_id,
            channel_id,
            context.call,
            name=change.name,
            target=change.url,
            enabled=change.enabled,
            maker=context.known_caller.subject,
        )
        return webhook_body(changed)

    @router.post(PATH + "/{channel_id}/rotate", response_model=WebhookMade)
    async def rotate_secret(
        context: Context, channel_id: str, rotation: Annotated[SecretRotationBody, Depends(json_of(SecretRotationBody))]
    ) -> dict[str, Any]:
        """Give a webhook a fresh secret; the old one signs, too, for `overlap_s` seconds."""
        made = await notifications.rotate_secret(
            context.known_caller.user_id, channel_id, rotation.overlap_s, context.call
        )
        return {**webhook_body(made), "secret": made.secret}

    @router.delete(PATH + "/{channel_id}", response_model=DeletedBody)
    async def delete_webhook(context: Context, channel_id: str) -> dict[str, Any]:
        """Forget a webhook with its history; rules go on without it."""
        await notifications.delete_channel(context.known_caller.user_id, channel_id, context.call)
        return {"id": channel_id}

    return router


def webhook_body(channel: ChannelView) -> dict[str, Any]:
    """Return a webhook as the API shows it."""
    return {**shared_facts(channel), "url": channel.target}
