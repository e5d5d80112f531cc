"""CPU and memory of the suite's processes, read from the operating system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psutil

SERVICES: Final = ("gateway", "router", "auth", "usage")


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds used so far and resident memory now, by program."""

    cpu_s: dict[str, float]
    rss_mib: dict[str, float]


def sample(pids: Mapping[str, int]) -> Sample:
    """Read each program with its children."""
    cpu: dict[str, float] = {}
    rss: dict[str, float] = {}
    for program, pid in pids.items():
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
                cpu[program] = cpu.get(program, 0.0) + times.user + times.system
                rss[program] = rss.get(program, 0.0) + process.memory_info().rss / 2**20
            except psutil.NoSuchProcess:
                continue
    return Sample(cpu, rss)
