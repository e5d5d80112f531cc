"""Keys as the list shows them: with their state, and the budgets that cap them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]


def state_of(key: Row, now: datetime) -> str:
    """Return "live", or why a key does not work: "revoked", "expired", "disabled"."""
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] and datetime.fromisoformat(key["expires_at"]) <= now:
        return "expired"
    return "disabled" if key["disabled"] else "live"


def rows_of(keys: Iterable[Row], budgets: Iterable[Row], now: datetime) -> list[dict[str, Any]]:
    """Return the keys with their state and everything that caps each."""
    caps: dict[str, list[Row]] = {}
    for budget in budgets:
        if budget["owner"] == "key":
            caps.setdefault(budget["owner_id"], []).append(budget)
    return [{**key, "state": state_of(key, now), "caps": caps.get(key["first_key_id"], [])} for key in keys]
