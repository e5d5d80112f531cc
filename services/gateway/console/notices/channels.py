"""The two kinds of channels, each with its pages and its routes of the API: they are handled alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway.pages.menu import CONSOLE

ALERTS: Final = f"{CONSOLE}/alerts"
WEBHOOKS: Final = f"{CONSOLE}/webhooks"


@dataclass(frozen=True, slots=True)
class Kind:
    """Webhooks, or mails and chats.

    Attributes:
        room: of the texts.
        path: of the pages of single channels.
        back: the page that lists them.
        api: the routes.
        fields: of the form for a new one.
    """

    room: str
    path: str
    back: str
    api: str
    fields: tuple[str, ...]


HOOKS: Final = Kind("webhooks", WEBHOOKS, WEBHOOKS, "/v1/webhooks", ("url", "name"))
CHANNELS: Final = Kind("channels", f"{ALERTS}/channels", ALERTS, "/v1/alerts/channels", ("kind", "name", "chat_id"))
