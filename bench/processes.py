"""CPU and memory of the suite's processes, read from the operating system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

SERVICES: Final = ("gateway", "router", "auth", "usage")
STORES: Final = {"postgres": "postgres", "redis-server": "redis", "valkey-server": "redis"}


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds used so far and resident memory now, by room."""

    cpu_s: dict[str, float]
    rss_mib: dict[str, float]


def sample(home: Path) -> Sample:
    """Read all processes of the suite that runs with `RAZVILKA_HOME=home`."""
    cpu: dict[str, float] = {}
    rss: dict[str, float] = {}
    for process in psutil.process_iter(["cmdline", "name"]):
        try:
            room = _room(process, home)
            if room is None:
                continue
            times = process.cpu_times()
            cpu[room] = cpu.get(room, 0.0) + times.user + times.system
            rss[room] = rss.get(room, 0.0) + process.memory_info().rss / 2**20
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return Sample(cpu, rss)


def _room(process: psutil.Process, home: Path) -> str | None:
    cmdline = process.info["cmdline"] or []
    for service in SERVICES:
        if f"services.{service}" in cmdline:
            return service if _belongs(process, home) else None
    if "emulator" in cmdline:
        return "emulator" if _belongs(process, home) else None
    store = STORES.get(process.info["name"] or "")
    return store if store and _belongs(process, home) else None


def _belongs(process: psutil.Process, home: Path) -> bool:
    return process.environ().get("RAZVILKA_HOME") == str(home)
