"""Signed links that open one report without a credential, for a limited time."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Link:
    """The parameters of a link besides the report's id; `expires` is in Unix seconds."""

    expires: int
    signature: str


def sign_link(link_key: bytes, report_id: str, expires: int) -> Link:
    """Return the link to a report."""
    digest = hmac.new(link_key, f"{report_id}.{expires}".encode(), sha256).digest()
    return Link(expires, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def opens(link: Link, link_key: bytes, report_id: str, now: datetime) -> bool:
    """Tell whether the link is to this report and has not expired."""
    right = sign_link(link_key, report_id, link.expires)
    same = hmac.compare_digest(right.signature.encode(), link.signature.encode())
    return same and now.timestamp() < link.expires
