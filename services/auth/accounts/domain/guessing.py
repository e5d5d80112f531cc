"""Backoff against guessing: after a few failures, each further one costs a longer pause.

Four counters see each attempt: the account from this address, the account, the address, and the network around it.
Only the first can shut somebody out for long: nobody can lock another person out of their account from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.auth.shared.domain.origin import Origin


class Dimension(StrEnum):
    """What failures are counted by."""

    PAIR = "pair"
    ACCOUNT = "account"
    IP = "ip"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Pause:
    """How long a counter refuses: nothing before `free` failures, then `first_s`, doubling up to `longest_s`."""

    free: int
    first_s: float
    longest_s: float

    def after(self, failures: int) -> float:
        """Return the seconds to wait after that many failures."""
        if failures < self.free:
            return 0.0
        return float(min(self.longest_s, self.first_s * 2 ** min(failures - self.free, 32)))


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a secret that is about to be made.

    Args:
        account: whose secret, in the form of `account_key`; it need not exist.
        origin: from where.
    """

    account: str
    origin: Origin

    def subjects(self) -> dict[Dimension, str]:
        """Return what each counter counts by.

        Whoever comes from nowhere that is known is told apart by the account alone: strangers must not share a counter.
        """
        somewhere = bool(self.origin.ip)
        return {
            Dimension.PAIR: f"{self.account}\n{self.origin.host}",
            Dimension.ACCOUNT: self.account,
            Dimension.IP: self.origin.host if somewhere else f"nowhere\n{self.account}",
            Dimension.NETWORK: self.origin.network if somewhere else f"nowhere\n{self.account}",
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """The counter that refuses, and for how much longer."""

    dimension: Dimension
    wait_s: float
