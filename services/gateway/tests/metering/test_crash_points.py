"""A gateway is killed at every point of the design's table; its successor, or the reaper, makes it right."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from servicekit.testing import FakeClock
from services.gateway.admission.redis.holds import Holds
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.expired_holds import ExpiredHolds
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.settle import cost_micro_rub
from services.gateway.metering.usage_record import Source, TokenUsage, UsageRecord
from services.gateway.tests.admission_kit import admission_on, counters, leftovers
from services.gateway.tests.gateway_process import INPUT_TOKENS, row_sink, stored_rows
from services.gateway.tests.metering_kit import PRICE

REQUESTS = 8


def price(tokens_output: int) -> int:
    return cost_micro_rub(TokenUsage(INPUT_TOKENS, tokens_output), PRICE)


async def gateway(url: str, folder: Path, boot_id: str, *, requests: int = REQUESTS, failpoint: str = "") -> int:
    """Run a gateway process to its end and return its exit code."""
    environment = {**os.environ, "RAZVILKA_FAILPOINT": failpoint, "RAZVILKA_FAILPOINTS_ALLOWED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.gateway.tests.gateway_process",
        url,
        str(folder),
        boot_id,
        str(requests),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


def first_rows(folder: Path) -> dict[str, UsageRecord]:
    """Return the rows by id; what came first stays, as ON CONFLICT DO NOTHING has it."""
    return {row.request_id: row for row in reversed(stored_rows(folder))}


def completed_ids(folder: Path) -> set[str]:
    path = folder / "completed.txt"
    return set(path.read_text().split()) if path.exists() else set()


POINTS = {
    "1 before the admission's answer": ("gateway.before_admit_reply:5", None),
    "2 after the admission": ("gateway.after_admit:5", None),
    "3 dispatched": ("gateway.after_dispatched:5", 0),
    "4 mid-stream": ("gateway.mid_stream:10", 300),
    "5 the provider has ended": ("gateway.before_settled:5", 600),
    "6 settled in the journal": ("gateway.after_settled:5", 700),
    "7 stored but not acknowledged": ("gateway.before_ack:1", 700),
}


@pytest.mark.parametrize(("failpoint", "delivered"), POINTS.values(), ids=POINTS.keys())
async def test_every_request_is_billed_once_and_nothing_stays_held(
    redis_url, redis_client, tmp_path, failpoint, delivered
):
    """Killed there, started again: each completed id has one row, the others what they had delivered."""
    killed = await gateway(redis_url, tmp_path, "first", failpoint=failpoint)
    finished = await gateway(redis_url, tmp_path, "second", requests=1)

    assert (killed, finished) == (-signal.SIGKILL, 0)
    rows = first_rows(tmp_path)
    assert completed_ids(tmp_path)
    assert completed_ids(tmp_path) <= rows.keys()
    for request_id in completed_ids(tmp_path):
        assert (rows[request_id].source, rows[request_id].tokens_output) == (Source.PROVIDER, 700)
    for request_id in rows.keys() - completed_ids(tmp_path):
        assert rows[request_id].tokens_output in {0, 300, 600, 700}
        assert rows[request_id].cost_micro_rub == price(rows[request_id].tokens_output)
    if delivered is None:
        assert rows.keys() == completed_ids(tmp_path)
    else:
        assert delivered in {row.tokens_output for row in rows.values()}
    assert await counters(redis_client) == {"used": sum(row.cost_micro_rub for row in rows.values()), "held": 0}
    assert await leftovers(redis_client) == []
    assert list((tmp_path / "journal").iterdir()) == []


async def test_a_gateway_lost_with_its_disk_is_billed_by_the_reaper(redis_url, redis_client, tmp_path):
    """Point 11: the hold in Redis is all there is; it becomes one row with the input estimate, and is released."""
    await gateway(redis_url, tmp_path, "first", failpoint="gateway.mid_stream:1")
    shutil.rmtree(tmp_path / "journal")
    held = [hold.request_id async for hold in Holds(redis_client).all()]

    async with admission_on(redis_url) as admission:
        expired = ExpiredHolds(
            LeaderElection(redis_client),
            Holds(redis_client),
            row_sink(tmp_path),
            admission,
            DeadLetters(tmp_path / "dead.jsonl"),
            clock=FakeClock(),
            options=MeteringOptions(reap_grace_s=120),
        )
        too_early = await expired.bill()
        await let_expire(redis_client, seconds=30 + 121)
        reaped = await expired.bill()
        again = await expired.bill()

    assert (too_early, reaped, again) == (0, len(held), 0)
    rows = stored_rows(tmp_path)
    assert sorted(row.request_id for row in rows) == sorted(held)
    assert {(row.source, row.tokens_input, row.cost_micro_rub) for row in rows} == {(Source.REAPED, 10, 4)}
    assert await counters(redis_client) == {"used": 4 * len(held), "held": 0}
    assert await leftovers(redis_client) == []


async def let_expire(client, *, seconds: float) -> None:
    """Take the holds back in time instead of waiting."""
    for key in await client.keys("gw:{*}:h"):
        for member in await client.zrange(key, 0, -1):
            await client.zincrby(key, -seconds * 1e6, member)


async def test_random_kills_leave_each_request_billed_once(redis_url, redis_client, tmp_path):
    """Six gateways in a row are killed at different places; the seventh settles what they left."""
    for number, failpoint in enumerate(
        ["gateway.after_dispatched:7", "gateway.mid_stream:3", "gateway.after_settled:2", "gateway.before_ack:2",
         "gateway.after_admit:6", "gateway.before_settled:4"]
    ):  # fmt: skip
        await gateway(redis_url, tmp_path, f"boot-{number}", failpoint=failpoint)
    assert await gateway(redis_url, tmp_path, "last", requests=1) == 0

    rows = first_rows(tmp_path)
    assert completed_ids(tmp_path)
    assert completed_ids(tmp_path) <= rows.keys()
    assert await counters(redis_client) == {"used": sum(row.cost_micro_rub for row in rows.values()), "held": 0}
    assert await leftovers(redis_client) == []
    assert list((tmp_path / "journal").iterdir()) == []
