"""All gateways in turn, several times over."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bench.peers.running import Gateway

Measured = TypeVar("Measured")


async def in_turn(
    gateways: Sequence[Gateway], measure: Callable[[Gateway, float], Awaitable[Measured]], seconds: float, rounds: int
) -> dict[str, list[Measured]]:
    """Return what each round found, by the gateways' names."""
    found: dict[str, list[Measured]] = {gateway.name: [] for gateway in gateways}
    # The first round is not counted: Node.js compiles what is hot in it, and would seem dearer than it is.
    for number in range(rounds + 1):
        for gateway in gateways:
            print(f"round {number or 'to warm up'}: {gateway.name}", file=sys.stderr, flush=True)
            measured = await measure(gateway, seconds)
            if number:
                found[gateway.name].append(measured)
            await asyncio.sleep(0.5)
    return found
