"""How long things last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Lives:
    """How long things last.

    Args:
        code: an authorization code.
        refresh_idle: an unused refresh token.
        grant: a grant, however busy it is.
        refresh_grace: a used refresh token, for who must be told its successor once more.
    """

    code: timedelta
    refresh_idle: timedelta
    grant: timedelta
    refresh_grace: timedelta
