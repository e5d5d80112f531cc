"""The routes of the room, and what they need."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.identity.access import Needs
from services.gateway.notifications import alerts, channels, deliveries, unsubscribing, webhooks
from services.gateway.notifications.account_sync import AccountSync
from services.gateway.notifications.alerts import alerts_router
from services.gateway.notifications.channels import channels_router
from services.gateway.notifications.deliveries import deliveries_router
from services.gateway.notifications.unsubscribing import unsubscribe_router
from services.gateway.notifications.webhooks import webhooks_router

NEEDS: Final[Needs] = {
    **alerts.NEEDS, **unsubscribing.NEEDS, **channels.NEEDS, **webhooks.NEEDS, **deliveries.NEEDS,
}  # fmt: skip


def notification_routers(notifications: NotificationClient, account_sync: AccountSync) -> tuple[APIRouter, ...]:
    """Return the routes; those of channels come before those of a rule, whose id could be any word."""
    return (
        unsubscribe_router(notifications),
        channels_router(notifications, account_sync),
        alerts_router(notifications),
        webhooks_router(notifications, account_sync),
        *(deliveries_router(notifications, path) for path in deliveries.OF_ONE),
    )
