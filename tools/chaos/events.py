"""What may happen to a running suite: each kind of event does its harm, ends it again, and says to whom."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

VICTIMS: Final = ("gateway", "router", "auth", "usage", "redis", "postgres")
LONGEST_PAUSE_S: Final = 4.0
DISK_FULL_S: Final = 2.0
# Within what a gateway's clock may be wrong without being told; and far beyond it.
CLOCK_STEPS: Final = ("+2s", "-2s", "+3d", "-35d")
CLOCK_WRONG_S: Final = 3.0
NOBODY: Final = "nobody"


class Kind(StrEnum):
    """Kinds of events, as `--kinds` names them."""

    KILL = "kill"
    PAUSE = "pause"
    FLIP = "flip"
    TEAR = "tear"
    FILL = "fill"
    CLOCK = "clock"


class Events:
    """Makes events happen.

    Args:
        pids: who runs now, by name.
        journal: the gateway's journal; for `fill` on a small file system of its own.
        clock: the file that moves the clocks of all programs; None: they cannot be moved.
        rng: chooses victims and places.
    """

    def __init__(
        self, pids: Callable[[], Mapping[str, int]], journal: Path, clock: Path | None, rng: random.Random
    ) -> None:
        self._pids = pids
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._deeds: dict[Kind, Callable[[], str]] = {
            Kind.KILL: self._kill,
            Kind.PAUSE: self._pause,
            Kind.FLIP: self._flip,
            Kind.TEAR: self._tear,
            Kind.FILL: self._fill,
            Kind.CLOCK: self._move_clocks,
        }

    def happen(self, kind: Kind) -> str:
        """Let it happen, return whom it hit when it is over. Blocks for some seconds at most."""
        return self._deeds[kind]()

    def _victim(self) -> tuple[str, int]:
        running = self._pids()
        candidates = [name for name in VICTIMS if name in running]
        if not candidates:
            return NOBODY, 0
        name = self._rng.choice(candidates)
        return name, running[name]

    def _kill(self) -> str:
        name, pid = self._victim()
        return name if pid and _signal(pid, signal.SIGKILL) else NOBODY

    def _pause(self) -> str:
        name, pid = self._victim()
        if not pid or not _signal(pid, signal.SIGSTOP):
            return NOBODY
        try:
            time.sleep(self._rng.uniform(0.2, LONGEST_PAUSE_S))
        finally:
            _signal(pid, signal.SIGCONT)
        return name

    def _flip(self) -> str:
        """Kill the gateway and turn one bit of its journal before it is started again."""
        segment = self._segment_of_the_killed()
        if segment is None:
            return NOBODY
        content = bytearray(segment.read_bytes())
        content[self._rng.randrange(len(content))] ^= 1 << self._rng.randrange(8)
        segment.write_bytes(content)
        return "gateway"

    def _tear(self) -> str:
        """Kill the gateway and leave half a frame at the end of its journal, as a write that was cut does."""
        segment = self._segment_of_the_killed()
        if segment is None:
            return NOBODY
        with segment.open("ab") as file:
            file.write(segment.read_bytes()[: self._rng.randint(1, 40)])
        return "gateway"

    def _segment_of_the_killed(self) -> Path | None:
        pid = self._pids().get("gateway", 0)
        if not pid or not _signal(pid, signal.SIGKILL):
            return None
        with contextlib.suppress(OSError):
            segments = [each for each in self._journal.glob("*/*.seg") if each.stat().st_size]
            return max(segments, key=lambda each: each.stat().st_mtime, default=None)
        return None

    def _fill(self) -> str:
        """Fill the disk under the journal for a while."""
        ballast = self._journal / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(b"\0" * 65_536):
                    pass
            time.sleep(DISK_FULL_S)
        finally:
            ballast.unlink(missing_ok=True)
        return "gateway"

    def _move_clocks(self) -> str:
        """Let the clocks of all programs be wrong for a while."""
        if self._clock is None:
            return NOBODY
        self._clock.write_text(self._rng.choice(CLOCK_STEPS) + "\n")
        try:
            time.sleep(CLOCK_WRONG_S)
        finally:
            self._clock.write_text("+0\n")
        return "all"


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
