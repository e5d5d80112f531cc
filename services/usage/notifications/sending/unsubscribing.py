"""Unsubscribe links in mails: they need no credential, and allow nothing else."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from uuid import UUID

from servicekit.errors import invalid_parameter
from servicekit.trust.sealing import CannotOpen, Sealer

OWNER: Final = "unsubscribe"
PATH: Final = "/unsubscribe"
LONGEST: Final = 256


class Unsubscribing:
    """Creates and reads unsubscribe links."""

    def __init__(self, sealer: Sealer, public_url: str) -> None:
        self._sealer = sealer
        self._url = public_url.rstrip("/") + PATH

    def link(self, channel_id: UUID) -> str:
        """Return the link that stops mails to a channel."""
        token = base64.urlsafe_b64encode(self._sealer.seal(channel_id.bytes, OWNER)).decode().rstrip("=")
        return f"{self._url}?token={token}"

    def channel_of(self, token: str) -> UUID:
        """Return the channel that a link means.

        Raises:
            InvalidRequest: it is none of our links.
        """
        try:
            if len(token) > LONGEST:
                raise CannotOpen
            return UUID(bytes=self._sealer.open(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), OWNER))
        except (CannotOpen, ValueError, binascii.Error) as exc:
            raise invalid_parameter("token", "The link is not valid.") from exc
