"""The Authorization header of a provider: fixed, missing, or a short-lived token that can be renewed.

And how it is kept out of what is told.
"""

from __future__ import annotations

from typing import Final, Protocol

from services.router.providers import failures
from services.router.providers.transport.access_token import SingleFlight

AUTHORIZATION: Final = "Authorization"
_BEARER: Final = "Bearer "
# What is shorter stands in any sentence, as the "EMPTY" of a server that asks for no key does.
_SHORTEST_SECRET: Final = 8


def without_credential(text: str, authorization: str) -> str:
    """Return a foreign sentence without the credential of a header, nor the beginning of it where the text was cut."""
    credential = authorization.rpartition(" ")[2]
    if len(credential) < _SHORTEST_SECRET:
        return text
    text = text.replace(credential, "***")
    beginnings = (credential[:length] for length in range(len(credential), _SHORTEST_SECRET - 1, -1))
    return next((text.removesuffix(each) + "***" for each in beginnings if text.endswith(each)), text)


class Credentials(Protocol):
    """Provides the Authorization header, and tells whether a refused one can be replaced."""

    @property
    def renewable(self) -> bool:
        """Whether a refused header can be replaced by another."""
        ...

    async def header(self) -> str:
        """Return the header; empty when the provider takes none.

        Raises:
            ServiceError: none is configured, or none could be got.
        """
        ...

    async def renewed(self, refused: str) -> str:
        """Return another header than `refused`."""
        ...


class FixedHeader:
    """A fixed key."""

    renewable = False

    def __init__(self, header: str) -> None:
        self._header = header

    async def header(self) -> str:
        """Return the header as it was configured."""
        return self._header

    async def renewed(self, refused: str) -> str:
        """Return the same header: there is no other."""
        return self._header


class NoCredentials:
    """No credentials are configured: the router starts, and calls to this provider's models fail with that error."""

    renewable = False

    def __init__(self, provider: str) -> None:
        self._provider = provider

    async def header(self) -> str:
        """Raise ProviderFailed: the operator has given nothing."""
        raise failures.no_credentials(self._provider)

    async def renewed(self, refused: str) -> str:
        """Raise ProviderFailed, as `header`."""
        return await self.header()


class BearerTokens:
    """Short-lived tokens; concurrent callers share one fetch."""

    renewable = True

    def __init__(self, tokens: SingleFlight) -> None:
        self._tokens = tokens

    async def header(self) -> str:
        """Return a header that can be used now."""
        return _BEARER + await self._tokens.get()

    async def renewed(self, refused: str) -> str:
        """Return a header with another token than the refused one."""
        return _BEARER + await self._tokens.renew(refused.removeprefix(_BEARER))
