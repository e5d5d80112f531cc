"""The load beside the tests is there, and never stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tools.under_load import BUSY_PROCESSES, busy_processes, main

REPOSITORY = Path(__file__).parents[2]
GIVE_UP_S = 60
HOLD = """
import time
from tools.under_load import busy_processes
with busy_processes() as ids:
    print(*ids, flush=True)
    time.sleep(600)
"""


def started_holder() -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert holder.stdout is not None
    return holder, [psutil.Process(int(pid)) for pid in holder.stdout.readline().split()]


def test_the_processes_are_busy_in_the_block_and_gone_after_it():
    """At the priority of everything else."""
    with busy_processes() as ids:
        running = [psutil.Process(pid) for pid in ids]
        priorities = {process.nice() for process in running}

    assert len(running) == BUSY_PROCESSES
    assert priorities == {os.nice(0)}
    assert not any(process.is_running() for process in running)


def test_an_error_in_the_block_ends_them():
    """Whatever happens."""
    seen: list[psutil.Process] = []

    def broken() -> None:
        with busy_processes(1) as ids:
            seen.append(psutil.Process(ids[0]))
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()

    assert not seen[0].is_running()


def test_they_end_when_whoever_started_them_was_killed():
    """Nobody is there to stop them; they look for their parent."""
    holder, running = started_holder()
    with holder:
        holder.send_signal(signal.SIGKILL)

    gone, alive = psutil.wait_procs(running, timeout=GIVE_UP_S)

    assert len(gone) == BUSY_PROCESSES
    assert alive == []


def test_they_end_by_themselves():
    """Even if the one who started them lives on."""
    with busy_processes(1, limit_s=0) as ids:
        code = os.waitid(os.P_PID, ids[0], os.WEXITED | os.WNOWAIT)

    assert code is not None
    assert code.si_status == 0


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_that_of_the_command(code):
    """So that `make` fails when a test does."""
    assert main([sys.executable, "-c", f"raise SystemExit({code})"]) == code


def test_a_command_that_does_not_end_is_ended():
    """The code is that of `timeout`."""
    assert main([sys.executable, "-c", "import time; time.sleep(600)"], limit_s=0.1) == 124
