"""How the scenarios reach the emulator."""

import json
import sys
from typing import Any

from gigachat import GigaChat
from gigachat.models import Chat, Messages, MessagesRole

AT: dict[str, str] = json.loads(sys.argv[1])
PERSON, FIRM = "ZW11bGF0b3I6c2VjcmV0", "ZmlybTpzZWNyZXQ="


def made(**settings: Any) -> GigaChat:
    """Return a client of the emulator."""
    common = {"base_url": AT["gigachat"] + "/api/v1", "auth_url": AT["gigachat_auth"], "model": "GigaChat-2-Max"}
    return GigaChat(**{**common, "credentials": PERSON, "scope": "GIGACHAT_API_PERS", **settings})


def firm() -> GigaChat:
    """Return a client with a pay-as-you-go key."""
    return made(credentials=FIRM, scope="GIGACHAT_API_CORP")


def asked(text: str, **fields: Any) -> Chat:
    """Return a request of one message."""
    return Chat(messages=[Messages(role=MessagesRole.USER, content=text)], **fields)
