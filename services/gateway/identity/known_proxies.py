"""Whether this gateway knows the proxies in front of it."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from services.gateway.identity.metrics import KNOWN_PROXIES
from services.gateway.settings import Network

log = structlog.get_logger()


def tell_known_proxies(known: Collection[Network], *, is_production: bool) -> None:
    """Say in the log and in a metric when a production knows no proxy: behind one all people share its address."""
    KNOWN_PROXIES.set(len(known))
    if is_production and not known:
        log.warning(
            "gateway.no_known_proxies",
            remedy="Behind a proxy, set GATEWAY_TRUSTED_PROXIES: otherwise all people share its address and its locks.",
        )
