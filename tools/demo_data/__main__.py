"""Write the story into the running suite: once; a suite that has it is left as it is."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.rpc_client import Peer, open_channel, unary
from tools.accounts.calls import DemoCalls
from tools.accounts.demo import Auth, Demo, demo_from, read_env_file
from tools.demo_data.rows import Rows
from tools.demo_data.story import DAYS, OLD_CI, SHOP, SUPPORT, ZONE, calls
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK
from tools.stack.home import Home, home_of, read_json

BATCH: Final = 1_000
DEADLINE_S: Final = 60.0
KEY_SCOPES: Final = ("models:read", "completions:write", "usage:read")
T = TypeVar("T")


async def write(home: Home) -> int:
    """Write the story; return how many requests it has, 0 when it was there."""
    ports = read_json(home.run / "ports.json")
    demo = demo_from(read_env_file(home.demo_env))
    if not demo.demo_user_id or not ports:
        raise ServerError("there is no demo account here: make up makes one")
    usage = Peer("usage", home.tls / "gateway")
    async with open_channel(f"{LOOPBACK}:{ports['USAGE_GRPC_PORT']}", usage) as channel:
        stub: Any = UsageServiceStub(channel)
        today = datetime.now(ZONE).date()
        if await _has_a_past(stub, demo):
            return 0
        auth = Auth(f"{LOOPBACK}:{ports['AUTH_GRPC_PORT']}", home.tls / "operator")
        rows = Rows(demo.demo_user_id, await _keys(auth, demo), demo.demo_user_id)
        count = 0
        for batch in _batches(calls(today, demo.demo_user_id)):
            request = pb.RecordRequest(records=[rows.row(call) for call in batch])
            answer = await unary(stub.Record, request, deadline_s=DEADLINE_S)
            if answer.rejected:
                raise ServerError(f"usage refused {answer.rejected[0].field}: {answer.rejected[0].message}")
            count += answer.inserted
        return count


async def _has_a_past(stub: Any, demo: Demo) -> bool:
    since, until = Timestamp(), Timestamp()
    now = datetime.now(ZONE)
    since.FromDatetime(now - timedelta(days=2 * DAYS))
    until.FromDatetime(now - timedelta(days=DAYS // 2))
    subject = f"user:{demo.demo_user_id}"
    request = pb.GetSpendRequest(user_id=demo.demo_user_id, subject=subject, since=since, until=until)
    answer = await unary(stub.GetSpend, request, deadline_s=DEADLINE_S, wait_for_ready=True)
    return bool(answer.requests)


async def _keys(auth: Auth, demo: Demo) -> dict[str, str]:
    async with auth.channel() as channel:
        calls_to_auth = DemoCalls(channel)
        return {
            name: await calls_to_auth.key_id(await calls_to_auth.new_key(demo.demo_user_id, name, KEY_SCOPES))
            for name in (SHOP, SUPPORT, OLD_CI)
        }


def _batches(items: Iterator[T]) -> Iterator[Sequence[T]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def main() -> None:
    """Write it, and say so."""
    try:
        count = asyncio.run(write(home_of(os.environ)))
    except ServerError as exc:
        sys.exit(str(exc))
    print(f"{count} requests of {DAYS} days are written" if count else "the demo account has a past already")


if __name__ == "__main__":
    main()
