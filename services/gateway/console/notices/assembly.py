"""Puts the pages of alerts, channels and webhooks together."""

from __future__ import annotations

from servicekit.clock import Clock
from services.gateway.console.forms.once import ShownOnce
from services.gateway.console.notices.channel_pages import ChannelPages
from services.gateway.console.notices.channels import CHANNELS, HOOKS
from services.gateway.console.notices.rules import RulePages
from services.gateway.console.notices.webhooks import WebhookPages
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_endpoint import PageDependencies


def notice_pages(shared: PageDependencies, api: OwnApi, clock: Clock) -> list[Endpoint]:
    """Return the pages."""
    once = ShownOnce(clock, HOOKS.room, HOOKS.back, shared.orders_kept_s)
    return [
        *RulePages(shared, api).all(),
        *WebhookPages(shared, api, once).all(),
        *ChannelPages(shared, api, HOOKS, once).all(),
        *ChannelPages(shared, api, CHANNELS, None).all(),
    ]
