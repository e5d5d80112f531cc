"""Verifier: who can say whose a known key is, and where the running auth's address is told."""

from __future__ import annotations

from typing import Final, Protocol

from tools.servers.errors import ServerError

TARGET: Final = "RAZVILKA_AUTH_TARGET"
TLS_DIR: Final = "RAZVILKA_OPERATOR_TLS_DIR"
# Whose key it is, and its id.
Holder = tuple[str, str]


class Verifier(Protocol):
    """Verifies keys.

    Attributes:
        name: who it is, for the operator.
        knows_used: whether it verifies also those that were used in 1.1 and so are hashed anew.
    """

    name: str
    knows_used: bool

    async def holder(self, secret: str) -> Holder | None:
        """Return who holds a key; None: nobody, it is revoked or expired.

        Raises:
            ServerError: the running auth cannot be asked.
            Unavailable: its database cannot.
        """


def unreachable(address: str, why: object) -> ServerError:
    """Return what is told of an auth that does not answer."""
    return ServerError(
        f"The running auth at {address} cannot be asked ({' '.join(str(why).split())}): start it, or correct {TARGET} "
        f"and {TLS_DIR}, which names the folder of the operator's certificate."
    )
