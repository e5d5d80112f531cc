"""`make fuzz-http`: so many strange requests at one gateway; no 5xx, no stall over 50 ms, no growing memory."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.gateway.identity.access import Scope
from services.gateway.tests.backends import KEY, caller, running_backends
from tools.fuzz.http.nonsense import Maker, Nonsense
from tools.testing.found_servers import found_redis

STALL_MS: Final = 50.0
GROWTH: Final = 0.15
# Said on purpose: a transfer coding that nobody here knows (RFC 9112 6.1).
INTENDED: Final = (501,)
READINESS: Final = (b"GET /ready", b"HEAD /ready")
ROUNDS: Final = 20
WARM_UP: Final = 100
AT_ONCE: Final = 16
ANSWER_S: Final = 0.5


@dataclass(slots=True)
class Findings:
    """What came of it. `failed`: requests with a 5xx; figures are one for each round."""

    statuses: Counter[int] = field(default_factory=Counter)
    failed: list[tuple[int, Nonsense]] = field(default_factory=list)
    stalls_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """How much more memory the last quarter of the rounds took than the second, as a part."""
        quarter = max(1, len(self.memory_mb) // 4)
        early, late = self.memory_mb[quarter : 2 * quarter] or self.memory_mb[:1], self.memory_mb[-quarter:]
        return (sum(late) / len(late)) / (sum(early) / len(early)) - 1

    @property
    def is_good(self) -> bool:
        """Whether nothing failed, stalled or grew."""
        return not self.failed and max(self.stalls_ms) <= STALL_MS and self.growth <= GROWTH


class Target:
    """The attacked process and the way to ask it how it is."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def report(self) -> dict[str, float]:
        """Return its worst stall since the last report, and its memory."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        answer: dict[str, float] = json.loads(await self._process.stdout.readline())
        return answer

    async def throw(self, nonsense: Nonsense, findings: Findings) -> None:
        """Send one request and note how it is answered; 0: not at all, in the time a client of sense would wait."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        status = 0
        try:
            writer.write(nonsense.sent)
            async with asyncio.timeout(ANSWER_S):
                line = await reader.readline()
            status = int(line[9:12] or 0)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        findings.statuses[status] += 1
        # /ready says by a 503 what it is there to say: a machine under a storm may be late with a check.
        if status >= 500 and status not in INTENDED and not nonsense.sent.startswith(READINESS):
            findings.failed.append((status, nonsense))

    async def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(30):
            await self._process.wait()


async def storm(requests: int, seed: int) -> Findings:
    """Throw so many requests at a fresh gateway and return the findings."""
    findings, maker = Findings(), Maker(seed, KEY)
    with tempfile.TemporaryDirectory() as folder, found_redis(Path(folder)) as redis_url:
        async with running_backends() as backends:
            backends.auth.callers[KEY] = caller(scopes=[scope.value for scope in Scope])
            target = await _start(_settings(backends.targets, redis_url, folder))
            # What a process does once, at its first requests, holds up nobody who would notice: it is not counted.
            await _round(target, Maker(0, KEY), Findings(), WARM_UP)
            for _ in range(ROUNDS):
                await _round(target, maker, findings, requests // ROUNDS)
            await target.stop()
    return findings


async def _round(target: Target, maker: Maker, findings: Findings, requests: int) -> None:
    waiting = iter([maker.next() for _ in range(requests)])

    async def worker() -> None:
        for nonsense in waiting:
            await target.throw(nonsense, findings)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    said = await target.report()
    findings.stalls_ms.append(said["stall_ms"])
    findings.memory_mb.append(said["memory_mb"])


def _settings(targets: dict[str, str], redis_url: str, folder: str) -> dict[str, Any]:
    return {
        **targets,
        "port": 0,
        "redis": {"url": redis_url},
        "journal_dir": f"{folder}/journal",
        "grace_s": 0.5,
        "oauth": {"requests_per_minute": 0},
        "limit": {"header_s": 2.0, "body_s": 2.0, "connections_per_address": 8000},
    }


async def _start(settings: dict[str, Any]) -> Target:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.fuzz.http.gateway", json.dumps(settings),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return Target(process, json.loads(await process.stdout.readline())["port"])


def main() -> int:
    """Run the storm and return 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="make fuzz-http", description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    findings = asyncio.run(storm(arguments.requests, arguments.seed))
    print(f"answers {dict(sorted(findings.statuses.items()))}")
    print(f"worst stall {max(findings.stalls_ms):.1f} ms of CPU, memory {findings.memory_mb[0]:.0f} to "
          f"{findings.memory_mb[-1]:.0f} MB (growth {findings.growth:+.1%})")  # fmt: skip
    for status, nonsense in findings.failed[:10]:
        print(status, nonsense.kind, nonsense.sent[:600])
    return 0 if findings.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
