"""What an operator does with journals: look into them, ship those that nobody owns, send dead letters again.

    python -m services.gateway inspect PATH...       show what is in segments, the quarantine, dead letters
    python -m services.gateway ship-journals DIR     ship every journal below DIR that no gateway owns
    python -m services.gateway replay FILE           send dead letters again

`ship-journals` and `replay` read the same settings as the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from servicekit.errors import ServiceError
from servicekit.redis import open_redis
from servicekit.rpc_client import open_channel, peer_of
from services.gateway.admission.admission import open_admission
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.redis.holds import Holds
from services.gateway.clients.usage import UsageClient
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.metering import Metering, open_metering
from services.gateway.metering.operations.inspection import inspect
from services.gateway.metering.operations.replay import replay
from services.gateway.settings import GatewaySettings

PATIENCE_S: Final = 600.0

Settings = Callable[[], GatewaySettings]
Command = Callable[[Sequence[str], Settings], Awaitable[int]]


async def show(paths: Sequence[str], _: Settings) -> int:
    """Print what is in files or folders."""
    for path in paths:
        for line in inspect(Path(path)):
            _say(line)
    return 0


async def ship_journals(paths: Sequence[str], settings: Settings) -> int:
    """Ship what gateways that are gone left below a folder; 0 when nothing is left."""
    given, [folder] = settings(), paths
    os.listdir(folder)  # a mistyped folder is not made
    boot_id = uuid.uuid4().hex
    async with (
        open_redis(given.redis) as redis,
        open_channel(given.usage_target, peer_of("usage", given.tls)) as channel,
        open_admission(
            redis, UsageClient(channel).get_spend, boot_id=boot_id, options=AdmissionOptions(replicas=1)
        ) as admission,
        open_metering(
            Path(folder),
            LeaderElection(redis),
            UsageClient(channel).record,
            admission,
            Holds(redis),
            boot_id=boot_id,
        ) as metering,
    ):
        return await _shipped(metering)


async def _shipped(metering: Metering) -> int:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await metering.caught_up()
    books = metering.accounts
    _say(
        f"taken over {books.appended}: shipped {books.shipped}, dead letters {books.dead_lettered}, "
        f"quarantined {books.quarantined}, not shipped yet {metering.unshipped}"
    )
    for text in (*metering.health.problems(), *metering.health.warnings()):
        _say(text)
    return 1 if metering.recovering or metering.unshipped or metering.health.problems() else 0


async def replay_letters(paths: Sequence[str], settings: Settings) -> int:
    """Send the dead letters of a file again; 0 when all are stored."""
    given, [path] = settings(), paths
    async with open_channel(given.usage_target, peer_of("usage", given.tls)) as channel:
        result = await replay(DeadLetters(Path(path)), UsageClient(channel).record)
    _say(f"stored {len(result.stored)}, still refused {len(result.refused)}")
    for letter, why in result.refused:
        _say(f"  line {letter.number}: {letter.record.request_id}: {why.field}: {why.message}")
    return 1 if result.refused else 0


COMMANDS: Final[dict[str, Command]] = {
    "inspect": show,
    "ship-journals": ship_journals,
    "replay": replay_letters,
}


def run_command(name: str, paths: Sequence[str], settings: Settings) -> int:
    """Run one of `COMMANDS` and return its exit code; what goes wrong is one line.

    Raises:
        SystemExit: the command line is wrong, or a file or a service cannot be used.
    """
    if name not in COMMANDS or not paths or (name != "inspect" and len(paths) != 1):
        raise SystemExit(__doc__)
    try:
        return asyncio.run(_run(COMMANDS[name](paths, settings)))
    except (OSError, ServiceError) as exc:
        raise SystemExit(f"{name}: {exc}") from None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


async def _run(work: Awaitable[int]) -> int:
    return await work


def main(arguments: Sequence[str], settings: Settings) -> None:
    """Do what a command line says.

    Raises:
        SystemExit: always; the code is 0 when nothing is left to do.
    """
    sys.exit(run_command(arguments[0] if arguments else "", arguments[1:], settings))
