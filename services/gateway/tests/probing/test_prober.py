"""Which gateway of a fleet asks, and whom."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.probing.probe import Outcome, Probed, Version
from services.gateway.probing.prober import Prober
from services.gateway.tests.probing.test_probes import LATEST, until


async def test_of_a_version_that_is_withdrawn_nothing_is_told_any_more(redis_client: Any, key_file: Path) -> None:
    """Else its alarm would ring for as long as this gateway leads, though nobody can ask the version any more."""
    served = [Version("yandexgpt", "yandexgpt:latest"), Version("gigachat", "gigachat:withdrawn")]
    asked: list[Version] = []

    async def ask(version: Version, key: str) -> Probed:
        asked.append(version)
        return Probed(version, Outcome.FAILED, request_id=key)

    async def kept(_: Probed) -> None:
        """Tell nobody."""

    def told() -> bool:
        labels = {"provider": "gigachat", "model": "gigachat:withdrawn"}
        return REGISTRY.get_sample_value("razvilka_gateway_probe_answered", labels) is not None

    prober = Prober(
        LeaderElection(redis_client),
        lambda: served,
        ask,
        kept,
        key_file=key_file,
        every_s=60,
        clock=FakeClock(auto_advance=True),
        rng=random.Random(7),
    )
    probing = asyncio.create_task(prober.serve())
    await until(told)
    del served[1]
    still = len(asked)
    await until(lambda: len(asked) >= still + 3)
    assert not told()
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)


async def test_of_two_gateways_one_asks_and_the_other_goes_on(redis_client: Any, key_file: Path) -> None:
    """When the first ends. Neither begins at once: a fleet that starts would ask everybody everything."""
    asked: list[str] = []

    async def kept(_: Probed) -> None:
        """Tell nobody."""

    def running(name: str) -> asyncio.Task[None]:
        async def ask(version: Version, key: str) -> Probed:
            asked.append(name)
            return Probed(version, Outcome.ANSWERED, request_id=key)

        clock = FakeClock(auto_advance=True)
        prober = Prober(
            LeaderElection(redis_client),
            lambda: (Version("yandexgpt", "yandexgpt:latest"),),
            ask,
            kept,
            key_file=key_file,
            every_s=60,
            clock=clock,
            rng=random.Random(7),
        )
        return asyncio.create_task(prober.serve())

    first = running("first")
    await until(lambda: len(asked) >= 1)
    second = running("second")
    await until(lambda: len(asked) >= 5)
    first.cancel()
    await until(lambda: asked[-1] == "second")
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)

    assert asked.index("second") == asked.count("first")
    assert sampled("razvilka_gateway_probe_answered", **LATEST) == 0
