"""Asks each version every so often, from one gateway of the fleet.

Who leads goes on leading while it can, so that its gauges go on; each version has a time of its own, a little early or
late each round, so that a provider never gets all of them at once.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from services.gateway.metering.interfaces import ElectsLeader
from services.gateway.probing import metrics
from services.gateway.probing.probe import Outcome, Probed, Version

log = structlog.get_logger()

CHORE: Final = "probes"
# For as long as one gateway leads at most; then whoever comes first.
TERM_S: Final = 86_400.0
STANDBY_S: Final = 5.0
LOOK_EVERY_S: Final = 1.0
# Of the time between two probes: how much earlier or later than due.
JITTER: Final = 0.1
NO_KEY: Final = "no_key"

Ask = Callable[[Version, str], Awaitable[Probed]]
Keep = Callable[[Probed], Awaitable[None]]


class Prober:
    """Leads, or stands by.

    Args:
        versions: says whom to ask now; nobody: it is not known.
        ask: asks a version with a key.
        keep: hears how each probe went, for those who look at the status.
        key_file: read before each probe, so that a key is changed without a restart.
        every_s: seconds between two probes of one version.
    """

    def __init__(
        self,
        election: ElectsLeader,
        versions: Callable[[], Sequence[Version]],
        ask: Ask,
        keep: Keep,
        *,
        key_file: Path,
        every_s: float,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._election = election
        self._versions = versions
        self._ask = ask
        self._keep = keep
        self._key_file = key_file
        self._every_s = every_s
        self._clock = clock
        self._rng = rng

    async def serve(self) -> None:
        """Ask for ever; cancel it to stop."""
        while True:
            try:
                async with self._election.elected(CHORE, timeout_s=TERM_S) as chosen:
                    if chosen:
                        await self._lead()
            except (TimeoutError, ServiceError, OSError) as exc:
                log.info("probes.lead_ended", error=name_of(exc))
            finally:
                metrics.forget()
            await self._clock.sleep(STANDBY_S)

    async def _lead(self) -> None:
        due: dict[Version, float] = {}
        async with asyncio.TaskGroup() as asking:
            while True:
                now = self._clock.monotonic()
                # While the catalogue is away: whoever was there, as users go on asking them.
                versions = self._versions() or tuple(due)
                for version in due.keys() - set(versions):
                    # Withdrawn: nobody can ask it any more, so its alarm must not go on.
                    del due[version]
                    metrics.forget_version(version.provider, version.model)
                for version in versions:
                    due.setdefault(version, now + self._rng.random() * self._every_s)
                for version in [each for each in versions if due[each] <= now]:
                    # Not again before it has ended: a model that hangs must not get more and more of them.
                    due[version] = math.inf
                    asking.create_task(self._probe(version, due))
                await self._clock.sleep(min(LOOK_EVERY_S, self._every_s))

    async def _probe(self, version: Version, due: dict[Version, float]) -> None:
        probed = await self._asked(version)
        await self._keep(probed)
        note(probed)
        due[version] = self._clock.monotonic() + self._every_s * self._rng.uniform(1 - JITTER, 1 + JITTER)

    async def _asked(self, version: Version) -> Probed:
        try:
            key = self._key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            log.warning("probes.no_key", file=str(self._key_file), error=name_of(exc))
            return Probed(version, Outcome.REFUSED, NO_KEY)
        return await self._ask(version, key)


def note(probed: Probed) -> None:
    """Count a probe and say in the log what went wrong; what was refused says nothing of the version."""
    labels = (probed.version.provider, probed.version.model)
    metrics.PROBES.labels(*labels, probed.outcome.value).inc()
    if probed.outcome is not Outcome.ANSWERED:
        told = {"provider": labels[0], "model": labels[1], "code": probed.code, "request_id": probed.request_id}
        log.warning(f"probes.{probed.outcome.value}", **told)
    metrics.forget_version(*labels)
    if probed.outcome is Outcome.REFUSED:
        return
    metrics.ANSWERED.labels(*labels).set(probed.outcome is Outcome.ANSWERED)
    metrics.DURATION.labels(*labels).set(probed.duration_s)
    if probed.first_token_s is not None:
        metrics.FIRST_TOKEN.labels(*labels).set(probed.first_token_s)
