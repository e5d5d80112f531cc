"""Processes of a suite whose supervisor is gone (killed, say): find them and end them."""

import contextlib
from typing import Final

import psutil

from tools.stack.home import Home

PATIENCE_S: Final = 15.0
STORES: Final = frozenset({"postgres", "redis-server", "valkey-server"})


def leftovers(home: Home) -> list[psutil.Process]:
    """Return the processes that this folder's suite started and nobody supervises."""
    return [process for process in psutil.process_iter() if _belongs(process, home)]


def end_leftovers(home: Home) -> int:
    """End them, politely first, and return how many there were."""
    found = leftovers(home)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(found, PATIENCE_S)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, PATIENCE_S)
    return len(found)


def _belongs(process: psutil.Process, home: Home) -> bool:
    try:
        if process.environ().get("RAZVILKA_STACK") == str(home.root):
            return True
        # PostgreSQL and Redis write their titles over their environment, but they stand in their data folder.
        return process.name() in STORES and process.cwd() in (str(home.postgres), str(home.redis))
    except (psutil.Error, OSError):
        return False
