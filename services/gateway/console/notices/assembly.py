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
    secrets = {kind: ShownOnce(clock, kind.room, kind.back) for kind in (HOOKS, CHANNELS)}
    return [
        *RulePages(shared, api).all(),
        *WebhookPages(shared, api, secrets[HOOKS]).all(),
        *(page for kind, once in secrets.items() for page in ChannelPages(shared, api, kind, once).all()),
    ]
