"""CPU and memory of the suite's processes, read from the operating system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

SERVICES: Final = ("gateway", "router", "auth", "usage")


@dataclass(frozen=True, slots=True)
class Sample:
    """By program: CPU seconds used so far, those of them in the kernel, the most memory resident at once."""

    cpu_s: dict[str, float]
    kernel_s: dict[str, float]
    peak_mib: dict[str, float]


def sample(pids: Mapping[str, int]) -> Sample:
    """Read each program with its children."""
    cpu: dict[str, float] = {}
    kernel: dict[str, float] = {}
    peak: dict[str, float] = {}
    for program, pid in pids.items():
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
                cpu[program] = cpu.get(program, 0.0) + times.user + times.system
                kernel[program] = kernel.get(program, 0.0) + times.system
                peak[program] = peak.get(program, 0.0) + _peak_mib(process)
            except psutil.NoSuchProcess:
                continue
    return Sample(cpu, kernel, peak)


def resident_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Return what is resident now, by program; children are not in it."""
    return {program: psutil.Process(pid).memory_info().rss / 2**20 for program, pid in pids.items()}


def proportional_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Return each program's own memory and its part of what it shares with others (PSS), in MiB; Linux only.

    Summed up it is what the programs take together: the pages of libraries that all have mapped count once.
    """
    return {program: psutil.Process(pid).memory_full_info().pss / 2**20 for program, pid in pids.items()}


def _peak_mib(process: psutil.Process) -> float:
    # Linux keeps the high-water mark; elsewhere what is resident now has to do.
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(process.memory_info().rss / 2**20)
