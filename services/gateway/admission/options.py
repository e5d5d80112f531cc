"""What admission can be told; the gateway's settings fill it in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """Times and shares of admission.

    Attributes:
        timeout_s: how long one round trip to Redis may take before Redis counts as lost.
        lease_s: after this long without renewal a slot of a dead gateway is free again.
        renew_every_s: how often the leases of running requests are prolonged.
        replicas: how many gateways share the limits; 0 counts those that registered in Redis.
        local_share: part of `limit / replicas` that a gateway grants while Redis is lost.
        budget_share: part of what a budget had left that all gateways may spend while Redis is lost; 0: nothing.
        degraded_budget_share: part of a budget that one gateway may spend at most while Redis is lost.
        rebuild_timeout_s: how long a caller waits for its budget's counters to be rebuilt.
        reconcile_every_s: how often budget counters at rest are compared with stored usage.
        explained_s: how long what a request met is kept for who asks; 0: it is not.
        max_late_settles: how many settles wait for Redis at most; the reaper repairs what is given up.
    """

    timeout_s: float = 0.1
    lease_s: float = 30.0
    renew_every_s: float = 10.0
    breaker_failures: int = 5
    breaker_failing_s: float = 2.0
    breaker_open_s: float = 5.0
    replicas: int = 0
    local_share: float = 0.8
    budget_share: float = 0.8
    degraded_budget_share: float = 0.01
    rebuild_timeout_s: float = 2.0
    max_late_settles: int = 20_000
    reconcile_every_s: float = 300.0
    explained_s: float = 600.0
