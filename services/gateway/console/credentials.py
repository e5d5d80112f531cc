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
    """Keys, newest first, revoked ones too, and grants; without what cannot be told at the moment."""

    keys: Sequence[Any]
    grants: Sequence[Any]


async def credentials_of(page: PageContext, api: OwnApi) -> Credentials:
    """Return a person's."""
    keys, grants = await asyncio.gather(_keys(page, api), api.get_if_up(page, "/v1/grants"))
    return Credentials(keys, grants["data"] if grants else ())


async def _keys(page: PageContext, api: OwnApi) -> list[Any]:
    keys: list[Any] = []
    following = ""
    for _ in range(MOST_PAGES):
        found = await api.get_if_up(page, "/v1/keys", (("limit", "100"), ("page", following)))
        if found is None:
            break
        keys += found["data"]
        following = found["next_page"] or ""
        if not following:
            break
    return keys
