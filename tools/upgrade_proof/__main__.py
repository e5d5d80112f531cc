"""`make upgrade-proof`: from an earlier release to this tree and back, under load; exit 1 when a caller noticed."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.accounts.demo import Auth, ensure_demo
from tools.chaos.accounts import Books
from tools.rolling_restart.balancer import running_balancer
from tools.rolling_restart.fleet import OURS, Instance, Tree, make_fleet, running_fleet
from tools.rolling_restart.load import Load, Seen
from tools.rolling_restart.proof import (
    NOT_POSSIBLE,
    SETTINGS,
    add_options,
    all_ready,
    books_of,
    concluded,
    parsed,
    restart_each,
    sizes_of,
)
from tools.servers import bootstrap
from tools.servers.installed_environments import NotInstalledError
from tools.servers.ports import free_port
from tools.stack.down import bring_down
from tools.stack.environments import NO_WAITING
from tools.stack.errors import StackError
from tools.stack.home import Home
from tools.stack.up import Stack, describe, make_database, start_stores
from tools.upgrade_proof.release import checked_out, default_reference, describe_commit


def main() -> int:
    """Return 0 when no request failed and the books are right, 1 when not, 2 when it cannot be tried here."""
    arguments = _arguments()
    home = Home((Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "upgrade-proof").resolve())
    home.prepare()
    try:
        with checked_out(arguments.reference or default_reference(), home.root) as old:
            print(f"from {describe_commit(old)}", flush=True)
            seen, books = _there_and_back(home, old, arguments)
    except (NotInstalledError, StackError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return NOT_POSSIBLE
    return concluded(seen, books)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make upgrade-proof", description=__doc__)
    parser.add_argument("--from", dest="reference", default="", help="tag or commit; the newest tag v*, else HEAD~20")
    add_options(parser, rate=20.0, streams=10, gateways=2, settle_s=4.0)
    return parsed(parser)


def _there_and_back(home: Home, old: Tree, arguments: argparse.Namespace) -> tuple[Seen, Books]:
    with _stores(home, old) as stack:
        fleet = make_fleet(stack, sizes_of(arguments), SETTINGS)
        for each in fleet:
            each.tree = old
        with running_fleet(fleet):
            asyncio.run(all_ready(fleet))
            seen = _behind_balancer(stack, fleet, old, arguments)
            return seen, asyncio.run(books_of(stack, seen, arguments.rest))


@contextmanager
def _stores(home: Home, old: Tree) -> Iterator[Stack]:
    """Run stores and emulator for the block, with the schemas of the old tree."""
    try:
        stack = describe(home, {**os.environ, "RAZVILKA_PORT": str(free_port()), **NO_WAITING})
        start_stores(stack)
        make_database(stack)
        _migrate(stack, old)
        stack.supervisor.start("emulator")
        yield stack
    finally:
        bring_down(home)


def _migrate(stack: Stack, tree: Tree) -> None:
    for service in bootstrap.SCHEMAS:
        done = subprocess.run(
            [tree.python, "-m", f"services.{service}", "migrate"],
            cwd=tree.root,
            env=tree.environment(stack.environments.migrations(service)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"the migrations of {service} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _behind_balancer(stack: Stack, fleet: Sequence[Instance], old: Tree, arguments: argparse.Namespace) -> Seen:
    auth = Auth(next(each.address for each in fleet if each.service == "auth"), stack.home.tls / "operator")
    gateways = [each.address for each in fleet if each.service == "gateway"]
    with running_balancer(stack.home.root, gateways) as url:
        demo = asyncio.run(ensure_demo(stack.home.demo_env, auth=auth, url=url))
        load = Load(url, demo.api_key, rate=arguments.rate, streams=arguments.streams)
        asyncio.run(_under_load(load, stack, fleet, old, arguments.settle))
    return load.seen


async def _under_load(load: Load, stack: Stack, fleet: Sequence[Instance], old: Tree, settle_s: float) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(stop))
        await asyncio.sleep(settle_s)
        await asyncio.to_thread(_migrate, stack, OURS)
        print("schemas are those of this tree", flush=True)
        for tree, name in ((OURS, "this tree"), (old, "the old one")):
            await asyncio.sleep(settle_s)
            await _roll(fleet, tree, load.seen, settle_s)
            print(f"everything runs {name}", flush=True)
        await asyncio.sleep(settle_s)
        stop.set()


async def _roll(fleet: Sequence[Instance], tree: Tree, seen: Seen, settle_s: float) -> None:
    for each in fleet:
        each.tree = tree
    await restart_each(fleet, seen, settle_s)


if __name__ == "__main__":
    sys.exit(main())
