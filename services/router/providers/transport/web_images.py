"""Fetches images from URLs in requests: public hosts only, limited in time, size, kind and number."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver
from yarl import URL

from servicekit.errors import ServiceError, invalid_parameter
from servicekit.fairness.shares import Shares
from servicekit.outbound.public_addresses import AddressPolicy, ForbiddenAddressError, PublicResolver
from services.router.providers import failures
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.tls import tls_for

LONGEST_URL: Final = 2048
_MOVED: Final = frozenset((301, 302, 303, 307, 308))
_MEGABYTE: Final = 1024 * 1024
# What a picture begins with; what a server calls it is not believed. GigaChat, for which they are fetched, takes these.
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
)
# Nothing of ours goes along: no credential, no trace, no address of a page. Who can send others sends one of these.
_HEADERS: Final = {"Accept": "image/png, image/jpeg, image/tiff, image/bmp", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A fetched image."""

    mime: str
    content: bytes


class WebImages:
    """Fetches images. One for the process, with a concurrency limit; one caller may use half of it."""

    def __init__(self, session: aiohttp.ClientSession, settings: WebImageSettings, tls: ssl.SSLContext | bool) -> None:
        self._session = session
        self._settings = settings
        self._policy = AddressPolicy(settings.networks)
        self._tls = tls
        # Slow addresses of one caller hold up no others.
        self._shares = Shares(max(1, settings.at_once // 2), settings.at_once)

    async def fetch(self, text: str, param: str, whose: str) -> Picture:
        """Return the picture at an https address, for a caller.

        Raises:
            InvalidRequest: it cannot be had, or may not; `param` is named.
        """
        if not self._settings.fetch:
            raise failures.unsupported(param, "this gateway", "give the image as a data: URL")
        try:
            # The wait for a place counts: a caller with many slow addresses waits no longer than others.
            async with asyncio.timeout(self._settings.timeout_s), self._shares.one_of(whose):
                return await self._follow(_address(text, param), param)
        except TimeoutError as exc:
            raise invalid_parameter(param, f"The image did not come within {self._settings.timeout_s:g} s.") from exc
        except ForbiddenAddressError as exc:
            raise _forbidden(param) from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise _not_had(exc, param) from exc

    async def _follow(self, url: URL, param: str) -> Picture:
        """Fetch, going where redirects point; each of them is checked like the first address."""
        for _ in range(self._settings.redirects + 1):
            self._check_literal(url, param)
            async with self._session.get(url, headers=_HEADERS, ssl=self._tls, allow_redirects=False) as response:
                if response.status not in _MOVED:
                    return await self._picture(response, param)
                target = response.headers.get("Location", "")
            url = _address(str(url.join(URL(target))), param)
        raise invalid_parameter(param, f"The image's address redirects more than {self._settings.redirects} times.")

    def _check_literal(self, url: URL, param: str) -> None:
        """Check an address given in digits: those are not looked up, so no resolver sees them."""
        host, port = url.host or "", url.port or 0
        is_literal = ":" in host or host.replace(".", "").isdigit()
        if is_literal and not self._policy.allows(host, port):
            raise _forbidden(param)

    async def _picture(self, response: aiohttp.ClientResponse, param: str) -> Picture:
        if response.status != 200:
            raise invalid_parameter(param, f"The image's server answered {response.status}.")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise invalid_parameter(param, "The image's server sent it compressed, which was not asked for.")
        most = self._settings.size_mb * _MEGABYTE
        content = bytearray()
        while len(content) <= most and (piece := await response.content.readany()):
            content += piece
        if len(content) > most:
            raise invalid_parameter(param, f"The image is larger than {self._settings.size_mb} MB.")
        return Picture(_kind(bytes(content[:12]), param), bytes(content))


def _address(text: str, param: str) -> URL:
    if len(text) > LONGEST_URL:
        raise invalid_parameter(param, f"The image's address is longer than {LONGEST_URL} characters.")
    try:
        url = URL(text)
        port = url.port
    except ValueError as exc:
        raise invalid_parameter(param, "The image's address is no URL.") from exc
    if url.scheme != "https" or not url.host or port is None:
        raise invalid_parameter(param, "The image's address must begin with https:// (or be a data: URL).")
    if url.user is not None or url.password is not None:
        raise invalid_parameter(param, "The image's address must hold no user and no password.")
    return url


def _kind(head: bytes, param: str) -> str:
    for signature, mime in _SIGNATURES:
        if head.startswith(signature):
            return mime
    raise invalid_parameter(param, "What lies at the image's address is no PNG, JPEG, TIFF or BMP.")


def _not_had(exc: BaseException, param: str) -> ServiceError:
    """Return one error for whatever failed: more would tell a caller what listens where."""
    if isinstance(exc.__cause__ or exc, ForbiddenAddressError):
        return _forbidden(param)
    return invalid_parameter(param, "The image could not be fetched from its address.")


def _forbidden(param: str) -> ServiceError:
    return invalid_parameter(param, "The image's address is not a public one at port 443: it is not fetched.")


@asynccontextmanager
async def open_web_images(
    settings: WebImageSettings, resolver: AbstractResolver | None = None
) -> AsyncIterator[WebImages]:
    """Yield what fetches; `resolver` looks names up instead of the system's."""
    public = PublicResolver(resolver or DefaultResolver(), AddressPolicy(settings.networks))
    # Names are looked up anew each time: what was allowed once is not kept.
    connector = aiohttp.TCPConnector(resolver=public, use_dns_cache=False, limit=settings.at_once, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "razvilka"},
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield WebImages(session, settings, tls_for(settings.ca_bundle))
