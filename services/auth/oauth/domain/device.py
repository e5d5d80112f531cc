"""The device flow (RFC 8628): device code, user code, and the polling interval."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.auth.oauth.domain.grant import Allowance
from services.auth.shared.domain.scope import Scope

# RFC 8628 6.1: no vowels, so no words; case does not matter; nothing looks like another letter.
ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
USER_CODE_LENGTH: Final = 8  # 20**8 = 2.6e10; with the limit on guesses a code of 10 minutes cannot be found
SEPARATORS: Final = re.compile(r"[\s\-._]")
SLOWER_BY_S: Final = 5


@dataclass(frozen=True, slots=True)
class DeviceTerms:
    """Settings of the device flow."""

    issuer: str
    ttl_s: int
    interval_s: int
    guesses: int


@dataclass(frozen=True, slots=True)
class DeviceFlow:
    """A device that waits for its user. The grant's id is chosen in advance, so that it can be created only once."""

    client_id: str
    scopes: frozenset[Scope]
    user_code: str
    grant_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceDecision:
    """The user's decision about a device."""

    approved: bool
    user_id: str
    authenticated_at: datetime
    allowance: Allowance
    methods: tuple[str, ...] = ()
    # Of the session in which it was decided; None: decided in the version before this one.
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Polling:
    """How often a device polls."""

    last_at: datetime | None
    interval_s: int

    def next(self, now: datetime) -> tuple[Polling, bool]:
        """Return the state after a poll now, and whether it came too early: then it must ask 5 s more slowly."""
        too_early = self.last_at is not None and now < self.last_at + timedelta(seconds=self.interval_s)
        return Polling(now, self.interval_s + SLOWER_BY_S * too_early), too_early


def new_user_code() -> str:
    """Return a code that is easy to type."""
    return "".join(secrets.choice(ALPHABET) for _ in range(USER_CODE_LENGTH))


def shown(user_code: str) -> str:
    """Return the code as people read it: BCDF-GHJK."""
    half = USER_CODE_LENGTH // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def read_user_code(typed: str) -> str | None:
    """Return the code somebody typed, in any case and with any separators; None when it cannot be one."""
    if len(typed) > 4 * USER_CODE_LENGTH:
        return None
    code = SEPARATORS.sub("", typed).upper()
    return code if len(code) == USER_CODE_LENGTH and set(code) <= set(ALPHABET) else None
