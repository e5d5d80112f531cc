"""What made something that is listed, by the name that a person knows it by: a key's, or an application's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.gateway.console.credentials import keys_and_grants
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext


async def with_makers(page: PageContext, api: OwnApi, rows: Iterable[Any]) -> list[Any]:
    """Return rows that have `made_by` with `maker_name`: "" of a person, and where no name can be told now."""
    listed = list(rows)
    names = await _names(page, api) if any(row["made_by"] for row in listed) else {}
    return [{**row, "maker_name": names.get(row["made_by"], "")} for row in listed]


async def _names(page: PageContext, api: OwnApi) -> dict[str, str]:
    keys, grants = await keys_and_grants(page, api)
    # Also of a key that was rotated: what it made goes on with its successor.
    named = {f"key:{key['id']}": key["name"] for key in keys}
    return named | {f"grant:{grant['id']}": grant["client_name"] for grant in grants}
