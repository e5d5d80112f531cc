"""What every program does with its log lines, its memory and its dumps."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import time
from typing import Final

import pytest

from servicekit import telemetry
from servicekit.testing.sampled import sampled

NASTY: Final = 'a\r\n{"event":"forged"}\x1b[31m\x00 …'
WRITE: Final = """
import sys, structlog
from servicekit import telemetry
from servicekit.settings import TelemetrySettings
telemetry.configure("test", TelemetrySettings(log_format="json"))
structlog.get_logger().warning("said", text=sys.stdin.read())
"""
WRITE_OFTEN: Final = """
import logging, sys, structlog
from servicekit import telemetry
from servicekit.settings import TelemetrySettings
telemetry.configure("test", TelemetrySettings(log_format="json"))
for _ in range(200):
    structlog.get_logger().warning("said", text="x" * 1000)
    logging.getLogger("library").warning("said")
sys.stderr.write("went on")
"""
ENTER: Final = """
import resource, sys
from servicekit import entry
async def serve():
    print(resource.getrlimit(resource.RLIMIT_CORE))
sys.argv = ["x", "serve"]
entry.run("test", serve)
"""
HASH_PASSWORDS: Final = """
import sys
import time
from servicekit import entry
def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * 4 / 1024
async def serve():
    before = resident_mib()
    for _ in range(3):
        memory = b"x" * (19 * 2**20)
        del memory
    print(resident_mib() - before)
sys.argv = ["x", "serve"]
entry.run("test", serve)
"""


def test_a_line_of_the_log_stays_one_line() -> None:
    """Line breaks, escapes of terminals and zero bytes are written as JSON writes them: nobody forges a line."""
    written = subprocess.run([sys.executable, "-c", WRITE], input=NASTY, capture_output=True, text=True, check=True)

    (line,) = written.stdout.splitlines()
    assert json.loads(line)["text"] == NASTY
    assert line.isprintable()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is always full")
def test_a_log_that_finds_no_room_on_its_disk_fails_nobody() -> None:
    """Whoever says that the journal is full has still to keep the record: the line is lost, not the money."""
    with open("/dev/full", "w") as full:
        wrote = subprocess.run(
            [sys.executable, "-c", WRITE_OFTEN], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert wrote.stderr.startswith("went on")


def test_a_service_leaves_no_core_file() -> None:
    """It would hold what passed through: the limit is zero, and cannot be raised again."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)

    said = subprocess.run([sys.executable, "-c", ENTER], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "(0, 0)"
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == soft


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="how glibc keeps memory")
def test_a_service_gives_back_what_a_password_took() -> None:
    """Not only the first time: from the second on glibc would keep it, 19 MiB for each thread that hashes."""
    said = subprocess.run([sys.executable, "-c", HASH_PASSWORDS], capture_output=True, text=True, check=True)

    assert float(said.stdout) < 4


async def test_a_loop_that_was_held_up_is_seen() -> None:
    """Whoever blocks it for a while is late for everybody: the histogram says by how much."""
    before = sampled("razvilka_event_loop_lag_seconds_sum")
    watching = asyncio.ensure_future(telemetry.watch_loop())
    await asyncio.sleep(0)

    time.sleep(telemetry.LOOK_EVERY_S + 0.3)  # noqa: ASYNC251 - it is what is measured
    while sampled("razvilka_event_loop_lag_seconds_sum") == before:
        await asyncio.sleep(0)

    watching.cancel()
    assert sampled("razvilka_event_loop_lag_seconds_sum") >= before + 0.3
