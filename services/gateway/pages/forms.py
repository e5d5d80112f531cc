"""Form posts must come from our own page in the same browser and session (RFC 9700 4.7, RFC 6749 10.12).

The token in the form is an HMAC under the browser's cookie, which no script can read and no other site can send, over
the session's secret. So it needs no storage, and every gateway can check it. Each page has it under another pad: pages
are packed, and how long a packed page is must not tell, guess by guess, what is in it (BREACH, 2013).
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
_PAD_BYTES: Final = 32
# 64 bytes in base64 without its padding.
_TOKEN_CHARACTERS: Final = 86


def form_token(browser: str, session: str) -> str:
    """Return what forms of this browser and session carry; each time another text."""
    pad = secrets.token_bytes(_PAD_BYTES)
    return base64.urlsafe_b64encode(pad + _xor(pad, _mac(browser, session))).rstrip(b"=").decode()


def once_token() -> str:
    """Return a fresh name for a form that is about to be shown."""
    return secrets.token_urlsafe(16)


def order_name(token: str, said: str) -> str:
    """Return what names one order of a form: of the same form it is the same one, said otherwise it is another."""
    return sha256(f"{token}\n{said}".encode()).hexdigest()


def is_own_token(given: str, browser: str, session: str) -> bool:
    """Tell whether a form carries the token of this browser and session."""
    if not browser or len(given) != _TOKEN_CHARACTERS or not given.isascii():
        return False
    try:
        sent = base64.b64decode(given + "==", b"-_", validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(_xor(sent[:_PAD_BYTES], sent[_PAD_BYTES:]), _mac(browser, session))


def _mac(browser: str, session: str) -> bytes:
    return hmac.digest(browser.encode(), _LABEL + session.encode(), sha256)


def _xor(pad: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, text, strict=True))


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
