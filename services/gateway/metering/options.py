"""What metering can be told; the gateway's settings fill it in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeteringOptions:
    """Sizes and times of metering.

    Attributes:
        segment_bytes: the journal starts a new file at this size.
        carry_segments: a request that keeps more than so many finished segments alive is written anew.
        batch: records in one call of usage.Record at most.
        linger_s: how long the first record after a pause waits for others.
        batch_every_s: how far apart batches begin at least while records keep coming.
        retry_first_s, retry_max_s: waits between tries while the usage service is away.
        drain_per_s: records a second at most when a backlog is worked off after an outage.
        progress_tokens, progress_s: how often the delivered tokens of a stream are journalled.
        reap_every_s, reap_grace_s: how often expired holds are looked for, and how long after their expiry a restarted
            gateway may still explain them from its journal.
        chores_timeout_s: how long one round of the reaper may take; also the life of its lock.
    """

    segment_bytes: int = 16 << 20
    carry_segments: int = 4
    batch: int = 500
    linger_s: float = 0.05
    batch_every_s: float = 0.25
    retry_first_s: float = 0.1
    retry_max_s: float = 5.0
    drain_per_s: float = 2000.0
    progress_tokens: int = 256
    progress_s: float = 1.0
    reap_every_s: float = 30.0
    reap_grace_s: float = 120.0
    chores_timeout_s: float = 60.0
    drain_at_stop_s: float = 10.0
    max_unjournalled: int = 10_000
