"""Form posts must come from our own page in the same browser and session (RFC 9700 4.7, RFC 6749 10.12).

The token in the form is an HMAC under the browser's cookie, which no script can read and no other site can send, over
the session's secret. So it needs no storage, and every gateway can check it.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from hashlib import sha256
from typing import Final

FIELD: Final = "csrf"
# What names a form that was shown once: sent twice, by a double click, it orders one thing.
ONCE: Final = "once"
_LABEL: Final = b"razvilka form "


def form_token(browser: str, session: str) -> str:
    """Return what forms of this browser and session carry."""
    mac = hmac.digest(browser.encode(), _LABEL + session.encode(), sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def once_token() -> str:
    """Return a fresh name for a form that is about to be shown."""
    return secrets.token_urlsafe(16)


def order_name(token: str, said: str) -> str:
    """Return what names one order of a form: of the same form it is the same one, said otherwise it is another."""
    return sha256(f"{token}\n{said}".encode()).hexdigest()


def is_own_token(given: str, browser: str, session: str) -> bool:
    """Tell whether a form carries the token of this browser and session."""
    if not browser:
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), form_token(browser, session).encode())


def is_own_origin(*, site: str, origin: str, host: str, public_url: str) -> bool:
    """Tell whether the browser says that a post comes from one of our own pages.

    Args:
        site: the header Sec-Fetch-Site; "" from browsers before 2023.
        origin: the header Origin. "null" because our pages send no referrer; then only `site` and the token can tell.
        host: the header Host.
        public_url: our address.
    """
    if site:
        return site in ("same-origin", "none")
    if not origin or origin == "null":
        return True
    return origin == public_url or origin in (f"http://{host}", f"https://{host}")
