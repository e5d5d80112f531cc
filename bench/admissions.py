"""`make bench-cluster`: what an admission with its settlement takes of Redis, on one server and on a cluster of three.

On one machine three servers are no faster than one: they share its cores. What counts is what each admission costs the
servers in CPU, commands and bytes, and how evenly users are spread; the rate of several machines follows from that.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop
from pydantic import SecretStr

from servicekit.redis import open_redis
from servicekit.settings import RedisSettings
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.caps import Budget
from services.gateway.admission.dimensions import CallerLimits, Limits
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.request import AdmissionRequest
from services.gateway.edge.request_id import new_request_id
from services.gateway.metering.usage_record import Price, RequestFacts
from tools.servers.redis_cluster import running_cluster
from tools.servers.redis_node import Node

OPTIONS: Final = AdmissionOptions(timeout_s=10.0, replicas=1)
# So wide that nobody is refused, and set, so that every row of the scripts has something to do.
WIDE: Final = Limits(10**7, 10**8, 10**9, 10**6, 10**10)
LIMITS: Final = CallerLimits(WIDE, WIDE, WIDE)
WIDE_MICRO_RUB: Final = 10**14
ORGANIZATION_OF: Final = 20
HELD_MICRO_RUB, SPENT_MICRO_RUB = 10_000, 2_500
SCRIPTS: Final = "scripts"
COUNTED: Final = (SCRIPTS, "total_commands_processed", "total_net_input_bytes", "total_net_output_bytes")
HEADER: Final = """\
| callers | servers | a second here | gateway CPU-ms | Redis CPU-ms | scripts | commands | bytes | busiest server |
|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What servers have used: CPU seconds, and `COUNTED`, each by server; what this process has."""

    own_cpu_s: float
    cpu_s: tuple[float, ...]
    counted: tuple[tuple[int, ...], ...]


async def nothing_spent(_user: str, _subject: str, _since: datetime | None, _until: datetime | None) -> int:
    """Return what usage would, of people who begin today."""
    return 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="make bench-cluster", description=__doc__)
    parser.add_argument("--admissions", type=int, default=20_000, help="of each case, after a tenth of them unmeasured")
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--at-once", type=int, default=64, help="under way, for each server")
    arguments = parser.parse_args()
    if min(arguments.admissions, arguments.users, arguments.at_once) < 1:
        parser.error("--admissions, --users and --at-once must be at least 1")
    print(HEADER)
    for are_members in (False, True):
        for size in (1, 3):
            with tempfile.TemporaryDirectory() as folder, servers(Path(folder), size) as (nodes, settings):
                print(uvloop.run(_row(nodes, settings, are_members, arguments)), flush=True)


@contextmanager
def servers(folder: Path, size: int) -> Iterator[tuple[Sequence[Node], RedisSettings]]:
    """Run one server, or a cluster, that writes its log of changes as the suite's own does."""
    if size == 1:
        node = Node(folder, durable=True)
        try:
            node.ready()
            yield [node], RedisSettings(url=SecretStr(node.url), timeout_ms=5_000)
        finally:
            node.kill()
        return
    with running_cluster(folder, replicas=0, durable=True) as cluster:
        yield cluster.nodes, RedisSettings(url=SecretStr("redis://x/0"), cluster=cluster.addresses, timeout_ms=5_000)


async def _row(nodes: Sequence[Node], settings: RedisSettings, are_members: bool, arguments: argparse.Namespace) -> str:
    users = [str(uuid.UUID(int=number + 1)) for number in range(arguments.users)]
    async with (
        open_redis(settings) as client,
        open_admission(client, nothing_spent, boot_id="bench", options=OPTIONS) as admission,
    ):
        load = Load(admission, users, are_members)
        at_once = arguments.at_once * len(nodes)
        await load.run(max(arguments.admissions // 10, arguments.users), at_once)
        before, began = _read(nodes), time.perf_counter()
        await load.run(arguments.admissions, at_once)
        took_s = time.perf_counter() - began
        return _line(before, _read(nodes), arguments.admissions, took_s, are_members)


class Load:
    """Admits and settles for one user after another.

    Args:
        admission: where.
        users: whom.
        are_members: of organizations with a budget, some users in each.
    """

    def __init__(self, admission: Admission, users: Sequence[str], are_members: bool) -> None:
        self._admission = admission
        self._users = users
        self._are_members = are_members
        self._asked = 0

    async def run(self, admissions: int, at_once: int) -> None:
        """Admit and settle so many, of which so many are under way at once.

        Raises:
            RuntimeError: one was decided without Redis.
        """
        until = self._asked + admissions
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(self._ask_until(until))

    async def _ask_until(self, until: int) -> None:
        while self._asked < until:
            number, self._asked = self._asked % len(self._users), self._asked + 1
            admitted = await self._admission.admit(self._request(number))
            if admitted.degraded:
                raise RuntimeError("decided without Redis: the figures would be of something else")
            await self._admission.settle(admitted.ticket, 60, SPENT_MICRO_RUB)

    def _request(self, number: int) -> AdmissionRequest:
        user = self._users[number]
        subjects = [f"user:{user}"]
        if self._are_members:
            subjects.append(f"organization:{uuid.UUID(int=10**9 + number // ORGANIZATION_OF)}")
        return AdmissionRequest(
            request_id=new_request_id(),
            user_id=user,
            key_id=user,
            model="yandexgpt:latest",
            estimated_tokens=100,
            hold_micro_rub=HELD_MICRO_RUB,
            facts=_facts(user),
            limits=LIMITS,
            budgets=tuple([Budget(subject, BudgetPeriod.MONTH, WIDE_MICRO_RUB) for subject in subjects]),
        )


def _facts(user: str) -> RequestFacts:
    return RequestFacts(
        boot_id="bench",
        key_id=user,
        provider="yandexgpt",
        model="yandexgpt:latest",
        price=Price("v1", 400, 800),
        input_tokens=10,
        started_at_us=1_795_000_000_000_000,
        grant_id="",
        client_id="",
        requested_model="yandexgpt",
        endpoint="chat.completions",
        stream=False,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        input_bound=20,
        output_bound=100,
        hold_micro_rub=HELD_MICRO_RUB,
        idempotent=False,
        metadata={},
        prompt_digest=b"",
        traits=0,
    )


def _read(nodes: Sequence[Node]) -> Reading:
    cpu = [psutil.Process(node.process.pid).cpu_times() for node in nodes]
    told: list[Any] = [node.client.info("stats") | _scripts(node) for node in nodes]
    return Reading(
        time.process_time(),
        tuple(each.user + each.system for each in cpu),
        tuple(tuple(int(each[name]) for name in COUNTED) for each in told),
    )


def _scripts(node: Node) -> dict[str, int]:
    told: Any = node.client.info("commandstats")
    return {SCRIPTS: told.get("cmdstat_evalsha", {"calls": 0})["calls"]}


def _line(before: Reading, after: Reading, admissions: int, took_s: float, are_members: bool) -> str:
    cpu_s = [late - early for early, late in zip(before.cpu_s, after.cpu_s, strict=True)]
    sums = [sum(column) for column in zip(*after.counted, strict=True)]
    earlier = [sum(column) for column in zip(*before.counted, strict=True)]
    scripts, commands, received, sent = (late - early for early, late in zip(earlier, sums, strict=True))
    cells = (
        "members of organizations" if are_members else "people",
        str(len(cpu_s)),
        f"{admissions / took_s:,.0f}",
        f"{(after.own_cpu_s - before.own_cpu_s) / admissions * 1e3:.3f}",
        f"{sum(cpu_s) / admissions * 1e3:.3f}",
        f"{scripts / admissions:.1f}",
        f"{(commands - scripts) / admissions:.0f}",
        f"{(received + sent) / admissions:,.0f}",
        f"{max(cpu_s) / sum(cpu_s):.0%}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
