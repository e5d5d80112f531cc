"""The records of 1.1 that rows of 1.0 become; money in micro-roubles, moments in UTC."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from migrate.rules.verdict import Stored


@dataclass(frozen=True, slots=True)
class Account:
    """A user; `extra` has the operator's columns. One that is merged away has the id of the account in its place."""

    id: str
    email: str
    created_at: datetime
    updated_at: datetime
    extra: Mapping[str, Stored]
    is_merged_away: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An API key; its hash is the hex SHA-256 of the key until its first use in 1.1."""

    id: str
    user_id: str
    key_hash: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    extra: Mapping[str, Stored]


@dataclass(frozen=True, slots=True)
class Request:
    """A usage row; `requested_model` is the model as 1.0 wrote it."""

    id: uuid.UUID
    user_id: str
    provider: str
    model: str
    requested_model: str
    tokens_input: int
    tokens_output: int
    cost_micro_rub: int
    created_at: datetime
    extra: Mapping[str, Stored]
