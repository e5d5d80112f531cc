"""Rows of `api_keys` as domain values."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_hash import HashKind, KeyHash
from services.auth.shared.domain.budget import BudgetPeriod, KeyBudget
from services.auth.shared.domain.scope import known_scopes
from services.auth.shared.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key with what verification needs: its hash, and facts about its account."""

    key: ApiKey
    stored: KeyHash
    tier: Tier
    time_zone: str
    owner_is_admin: bool
    is_imported: bool


def key_from_row(row: asyncpg.Record) -> ApiKey:
    """Return the key that a row of KEY_COLUMNS holds."""
    return ApiKey(
        id=row["id"],
        lineage_id=row["lineage_id"],
        user_id=row["user_id"],
        name=row["name"],
        prefix=row["prefix"],
        last_four=row["last_four"],
        scopes=known_scopes(row["scopes"]),
        models=tuple(row["models"]),
        ip_allow_list=tuple(row["ip_allow_list"]),
        budget=_budget(row["budget_micro_rub"], row["budget_period"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
        makers=tuple(row["makers"]),
        is_disabled=row["is_disabled"],
        cache_ttl_s=row["cache_ttl_s"],
    )


def held_key_from_row(row: asyncpg.Record) -> HeldKey:
    """Return what a row of FIND_KEY holds."""
    stored = KeyHash(row["key_hash"], HashKind(row["hash_kind"]), row["pepper_id"])
    return HeldKey(key_from_row(row), stored, Tier(row["tier"]), row["time_zone"], row["is_admin"], row["is_imported"])


def _budget(limit_micro_rub: int | None, period: str | None) -> KeyBudget | None:
    if limit_micro_rub is None or period is None:
        return None
    return KeyBudget(BudgetPeriod(period), limit_micro_rub)
