"""What some kinds of events need of the machine: a small disk for the journal, a library that moves clocks.

Where there is neither, these events are left out, and a line says so.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Debian's package faketime has it.
FAKETIME: Final = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
# A few segments of 16 MiB, and not much to fill.
DISK: Final = "size=96m"


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system on the folder for the block; yield whether that was allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def clock_environment(clock: Path) -> Mapping[str, str]:
    """Return the environment in which programs take their wall clock from a file; {} where the library is missing.

    The monotonic clock stays as it is: it never jumps on a real machine either.
    """
    library = next((path for path in FAKETIME if Path(path).exists()), None)
    if library is None:
        return {}
    clock.parent.mkdir(parents=True, exist_ok=True)
    clock.write_text("+0\n")
    return {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
