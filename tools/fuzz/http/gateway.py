"""The attacked process: a gateway with a heartbeat. `python -m tools.fuzz.http.gateway SETTINGS-AS-JSON`.

It prints its port; then, for every line it reads, its worst stall since the last one and its memory, as JSON; and
ends with its input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
from pathlib import Path

import structlog
import uvloop

from servicekit.entry import collect_garbage_seldom
from services.gateway.server import open_gateway
from services.gateway.settings import GatewaySettings
from tools.fuzz.http.heartbeat import Heartbeat


def resident_mb() -> float:
    """Return the memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def serve(settings: GatewaySettings) -> None:
    """Serve and report until the input ends."""
    heart = Heartbeat()
    async with open_gateway(settings) as gateway:
        await gateway.readiness.look()
        # As `services.gateway.server.serve` does.
        gc.collect()
        gc.freeze()
        beating = asyncio.create_task(heart.run())
        print(json.dumps({"port": gateway.port}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"stall_ms": heart.take() * 1000, "memory_mb": resident_mb()}), flush=True)
        beating.cancel()


if __name__ == "__main__":
    # What is logged is not looked at, and must not be mistaken for a report.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    logging.disable()
    collect_garbage_seldom()
    uvloop.run(serve(GatewaySettings(**json.loads(sys.argv[1]))))
