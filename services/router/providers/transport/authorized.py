"""Authorized calls to one provider; after a refusal the token is renewed and the call is repeated once."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from yarl import URL

from services.router.providers.provider import ProviderCall
from services.router.providers.transport.credentials import AUTHORIZATION, Credentials
from services.router.providers.transport.http import HttpClient, OpenReply, Reply

_UNAUTHORIZED: Final = 401
_LONGEST_ID: Final = 128

R = TypeVar("R", Reply, OpenReply)


class AuthorizedHttp:
    """Authorized HTTP calls to one provider.

    Args:
        http: the router's client.
        credentials: who we say we are.
        tls: whom we trust.
        id_headers: where the provider names its own id of a call; the first that is given counts.
    """

    def __init__(
        self,
        http: HttpClient,
        credentials: Credentials,
        tls: ssl.SSLContext | bool = True,
        id_headers: Sequence[str] = ("x-request-id",),
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._tls = tls
        self._id_headers = id_headers

    def get(self, url: URL, headers: Mapping[str, str]) -> Awaitable[Reply]:
        """Return what lies at an address.

        Raises:
            ServiceError: as `post`.
        """
        return self._once_more(lambda authorized: self._http.get(url, authorized, self._tls), headers, None)

    def post(
        self, url: URL, data: Callable[[], Any], headers: Mapping[str, str], call: ProviderCall | None = None
    ) -> Awaitable[Reply]:
        """Send `data()`, made anew when it is sent again, and return the whole answer.

        Raises:
            ServiceError: no credentials, or no answer.
        """
        return self._once_more(lambda authorized: self._http.post(url, data(), authorized, self._tls), headers, call)

    def open(self, url: URL, data: bytes, headers: Mapping[str, str], call: ProviderCall) -> Awaitable[OpenReply]:
        """Send `data` and return the answer as soon as it begins; whoever asked closes it.

        Raises:
            ServiceError: as `post`.
        """
        return self._once_more(lambda authorized: self._http.open(url, data, authorized, self._tls), headers, call)

    async def _once_more(
        self, send: Callable[[Mapping[str, str]], Awaitable[R]], headers: Mapping[str, str], call: ProviderCall | None
    ) -> R:
        header = await self._credentials.header()
        reply = await send(_with(headers, header))
        if reply.status == _UNAUTHORIZED and self._credentials.renewable:
            reply.close()
            reply = await send(_with(headers, await self._credentials.renewed(header)))
        if call is not None:
            call.provider_request_id = self._request_id(reply.headers)
        return reply

    def _request_id(self, headers: Mapping[str, str]) -> str:
        for name in self._id_headers:
            if value := headers.get(name):
                return value[:_LONGEST_ID]
        return ""


def _with(headers: Mapping[str, str], authorization: str) -> dict[str, str]:
    return {**headers, AUTHORIZATION: authorization} if authorization else dict(headers)
