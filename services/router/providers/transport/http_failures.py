"""Maps failures of the HTTP client to errors: one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import aiohttp
import structlog

from servicekit.errors import ServiceError
from servicekit.outbound.public_addresses import ForbiddenAddressError
from services.router.providers import failures
from services.router.providers.transport.sending import Response

log = structlog.get_logger()

# First match wins, so the narrower kind stands above the wider one.
_TABLE: Final[tuple[tuple[type[BaseException], Callable[[str], ServiceError], str], ...]] = (
    (aiohttp.ClientConnectorCertificateError, failures.unreachable, "The provider's certificate is not trusted."),
    (aiohttp.ClientSSLError, failures.unreachable, "No secure connection to the provider could be made."),
    (aiohttp.ConnectionTimeoutError, failures.unreachable, "The provider did not accept the connection in time."),
    (TimeoutError, failures.slow, "The provider did not answer in time."),
    (aiohttp.ServerDisconnectedError, failures.unreachable, "The provider closed the connection."),
    (aiohttp.ClientConnectorError, failures.unreachable, "The provider could not be reached."),
    (aiohttp.ClientPayloadError, failures.broken, "The provider's answer broke off."),
    (aiohttp.ClientOSError, failures.unreachable, "The connection to the provider was reset."),
    (OSError, failures.unreachable, "The provider could not be reached."),
)


def translate(exc: BaseException) -> ServiceError:
    """Return the ServiceError for a failure of the HTTP client; the first row that matches wins."""
    if isinstance(exc, ServiceError):
        return exc
    forbidden = exc if isinstance(exc, ForbiddenAddressError) else exc.__cause__
    if isinstance(forbidden, ForbiddenAddressError):
        log.error("router.plaintext_refused", host=str(forbidden), remedy="https, or ROUTER_HTTP_PLAINTEXT_NETWORKS")
    for kind, make, why in _TABLE:
        if isinstance(exc, kind):
            return make(why)
    return failures.broken("The provider's answer could not be read.")


def check_encoding(response: Response) -> None:
    """Do nothing for an answer that came as it was asked for: identity.

    An encoded one is a fault or a compression bomb, and is not opened. Of an error the status says enough: proxies pack
    their pages whatever they are asked for.

    Raises:
        ProviderFailed: it is encoded.
    """
    if response.status != 200:
        return
    encoding = response.headers.get("Content-Encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise failures.broken("The provider's answer is compressed, which was not asked for.")
