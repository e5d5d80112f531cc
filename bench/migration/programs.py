"""A program that is run and measured: wall clock, its own CPU, its peak memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What a program used; memory in MiB."""

    status: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run a program to its end."""
    began_at = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - ours, and pgloader
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None  # it is a pipe
        output = running.stdout.read()
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began_at
    return Measured(running.returncode, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)
