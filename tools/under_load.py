"""Run a command beside four busy processes: `python -m tools.under_load COMMAND ...`.

They are as important to the machine as the command; they end with it, whatever ends it, and by themselves in the end.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

BUSY_PROCESSES: Final = 4
# Longer than the whole suite takes on a small machine under this load.
LIMIT_S: Final = 2 * 60 * 60
BURN: Final = """
import os, sys, time
parent, give_up_at = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < give_up_at and os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextlib.contextmanager
def busy_processes(count: int = BUSY_PROCESSES, limit_s: float = LIMIT_S) -> Iterator[list[int]]:
    """Keep `count` processes busy for the block and yield their ids.

    They end after `limit_s` seconds, or when this process is gone, even if it was killed.
    """
    command = [sys.executable, "-c", BURN, str(os.getpid()), str(limit_s)]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            # An own process group: Ctrl-C reaches the command; these are ended here.
            started.append(subprocess.Popen(command, start_new_session=True))
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main(command: list[str], limit_s: float = LIMIT_S) -> int:
    """Run the command under load; return its exit code, 124 when it took longer than `limit_s` seconds."""
    started = time.monotonic()
    with busy_processes(limit_s=limit_s):
        try:
            code = subprocess.run(command, check=False, timeout=limit_s).returncode
        except subprocess.TimeoutExpired:
            code = 124
    print(f"under load of {BUSY_PROCESSES} busy processes: exit code {code} after {time.monotonic() - started:.0f} s")
    return code


if __name__ == "__main__":
    # An exception, so that `finally` is reached.
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))
