"""Links in mails: each works once; a link that does not work gives no reason."""

from __future__ import annotations

from typing import Final

from servicekit.errors import ErrorReason, Unauthenticated
from services.auth.accounts.domain.mail import MAX_TOKEN, MailedToken, TokenPurpose, token_hash
from services.auth.accounts.store.mailed_tokens import use_token
from services.auth.accounts.store.unit_of_work import AccountUnit

# One sentence for links that never were, that were used, and whose time is over.
BAD_LINK: Final = "The link is not valid any more. Ask for a new one."


async def use_link(unit: AccountUnit, token: str, *purposes: TokenPurpose) -> MailedToken:
    """Use a mailed token up within a unit of work.

    Raises:
        Unauthenticated: INVALID_TOKEN.
    """
    if not 1 <= len(token) <= MAX_TOKEN:
        raise bad_link()
    used = await use_token(unit.connection, token_hash(token), purposes, unit.at)
    if used is None:
        raise bad_link()
    return used


def bad_link() -> Unauthenticated:
    """Return the one refusal of links."""
    return Unauthenticated(ErrorReason.INVALID_TOKEN, BAD_LINK)
