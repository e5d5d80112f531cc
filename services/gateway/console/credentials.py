"""What may ask in a person's name: all their keys, and the applications that they let in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext

# Of a hundred keys each.
MOST_PAGES: Final = 20


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys, newest first, revoked ones too, and grants; without what cannot be told at the moment.

    `older_keys`: there are more of them than are looked through.
    """

    keys: Sequence[Any]
    grants: Sequence[Any]
    older_keys: bool = False


async def credentials_of(page: PageContext, api: OwnApi) -> Credentials:
    """Return a person's."""
    (keys, older), grants = await asyncio.gather(_keys(page, api), api.list_if_up(page, "/v1/grants"))
    return Credentials(keys, grants, older)


async def _keys(page: PageContext, api: OwnApi) -> tuple[list[Any], bool]:
    keys: list[Any] = []
    following = ""
    for _ in range(MOST_PAGES):
        found = await api.get_if_up(page, "/v1/keys", (("limit", "100"), ("page", following)))
        if found is None:
            return keys, False
        keys += found["data"]
        following = found["next_page"] or ""
        if not following:
            return keys, False
    return keys, True
