"""What made something that is listed, by the name that a person knows it by: a key's, or an application's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.gateway.console.credentials import Credentials, credentials_of
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext


async def with_makers(page: PageContext, api: OwnApi, rows: Iterable[Any]) -> list[Any]:
    """Return rows that have `made_by` with `maker_name`; credentials are asked for where a row has one."""
    listed = list(rows)
    made = any(row["made_by"] for row in listed)
    return with_makers_among(await credentials_of(page, api) if made else Credentials((), ()), listed)


def with_makers_among(credentials: Credentials, rows: Iterable[Any]) -> list[Any]:
    """Return rows that have `made_by` with `maker_name`: "" of a person, and where no name can be told now."""
    # Also of a key that was rotated: what it made goes on with its successor.
    names = {f"key:{key['id']}": key["name"] for key in credentials.keys}
    names |= {f"grant:{grant['id']}": grant["client_name"] for grant in credentials.grants}
    return [{**row, "maker_name": names.get(row["made_by"], "")} for row in rows]
