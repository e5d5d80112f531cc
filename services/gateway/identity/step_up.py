"""What an application may do only soon after its person proved who they are (RFC 9470)."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unauthenticated
from services.gateway.clients.caller import Caller


@dataclass(frozen=True, slots=True)
class StepUp:
    """Wants a recent proof from who lets an application act for them. `max_age_s`: 0 wants none."""

    clock: Clock
    max_age_s: int

    def check(self, caller: Caller) -> None:
        """Return when the proof is recent; also for keys and for applications in their own name: nobody is behind them.

        Raises:
            Unauthenticated: INSUFFICIENT_USER_AUTHENTICATION: it lies too far back; the challenge says what will do.
        """
        proved_at_s = caller.authenticated_at_s
        if not self.max_age_s or proved_at_s is None or self.clock.now().timestamp() - proved_at_s <= self.max_age_s:
            return
        raise Unauthenticated(
            ErrorReason.INSUFFICIENT_USER_AUTHENTICATION,
            f"Send the user to /authorize with max_age={self.max_age_s}, and use the token that comes of it.",
            details={"max_age": str(self.max_age_s)},
        )
