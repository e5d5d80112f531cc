"""Who calls a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ModelCaller:
    """Requests for one model by one key or grant of one user; `last_day` is the last UTC day with one."""

    model: str
    user_id: str
    key_id: str
    grant_id: str
    requests: int
    last_day: date
