"""/v1/alerts/channels: mails and Telegram."""

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
    ChannelBody,
    ChannelChangeBody,
    ChannelList,
    ChannelOrderBody,
    ConfirmationBody,
    DeletedBody,
)

PATH: Final = "/v1/alerts/channels"
KINDS: Final = {"email": ChannelKind.EMAIL, "telegram": ChannelKind.TELEGRAM}
NEEDS: Final[Needs] = {
    f"GET {PATH}": Scope.USAGE_READ,
    f"POST {PATH}": Scope.NOTIFICATIONS_WRITE,
    f"PATCH {PATH}/{{channel_id}}": Scope.NOTIFICATIONS_WRITE,
    f"DELETE {PATH}/{{channel_id}}": Scope.NOTIFICATIONS_WRITE,
    f"POST {PATH}/{{channel_id}}/confirm": Scope.NOTIFICATIONS_WRITE,
}


def channels_router(notifications: NotificationClient, account_sync: AccountSync) -> APIRouter:
    """Return the routes of channels that are no webhooks."""
    router = APIRouter(tags=["notifications"])

    @router.get(PATH, response_model=ChannelList)
    async def list_channels(context: Context) -> dict[str, Any]:
        """List mails and Telegram chats in the order in which they were made."""
        channels = await notifications.list_channels(context.known_caller.user_id, context.call)
        return {"data": [channel_body(each) for each in channels if each.kind is not ChannelKind.WEBHOOK]}

    @router.post(PATH, response_model=ChannelBody, status_code=201)
    async def create_channel(
        context: Context, order: Annotated[ChannelOrderBody, Depends(json_of(ChannelOrderBody))]
    ) -> dict[str, Any]:
        """Make a channel; mails go to the confirmed address of the account."""
        caller, kind = context.known_caller, KINDS[order.kind]
        made = await notifications.create_channel(
            caller.user_id, kind, order.name, order.chat_id, context.call, maker=caller.subject
        )
        await account_sync.sync_user(caller.user_id)
        return channel_body(made)

    @router.post(PATH + "/{channel_id}/confirm", response_model=ChannelBody)
    async def confirm_channel(
        context: Context, channel_id: str, told: Annotated[ConfirmationBody, Depends(json_of(ConfirmationBody))]
    ) -> dict[str, Any]:
        """Tell the code that was sent to a Telegram chat; until then nothing else is sent there."""
        user_id = context.known_caller.user_id
        return channel_body(await notifications.confirm_channel(user_id, channel_id, told.code, context.call))

    @router.patch(PATH + "/{channel_id}", response_model=ChannelBody)
    async def change_channel(
        context: Context, channel_id: str, change: Annotated[ChannelChangeBody, Depends(json_of(ChannelChangeBody))]
    ) -> dict[str, Any]:
        """Change what is given, and forget that it failed."""
        changed = await notifications.change_channel(
            context.known_caller.user_id,
            channel_id,
            context.call,
            name=change.name,
            target=None,
            enabled=change.enabled,
            maker=context.known_caller.subject,
        )
        return channel_body(changed)

    @router.delete(PATH + "/{channel_id}", response_model=DeletedBody)
    async def delete_channel(context: Context, channel_id: str) -> dict[str, Any]:
        """Forget a channel with its history; rules go on without it."""
        await notifications.delete_channel(context.known_caller.user_id, channel_id, context.call)
        return {"id": channel_id}

    return router


def channel_body(channel: ChannelView) -> dict[str, Any]:
    """Return a channel as the API shows it."""
    return {
        **shared_facts(channel),
        "kind": channel.kind.name.lower(),
        # A webhook that is asked for here has a URL there, which is no chat.
        "chat_id": channel.target if channel.kind is ChannelKind.TELEGRAM else None,
    }


def shared_facts(channel: ChannelView) -> dict[str, Any]:
    """Return what the API shows of every channel, webhook or not."""
    return {
        "id": channel.id,
        "name": channel.name,
        "enabled": not channel.disabled,
        "disabled": channel.disabled or None,
        "failing_since": channel.failing_since,
        "created_at": channel.created_at,
        "made_by": channel.maker or None,
    }
