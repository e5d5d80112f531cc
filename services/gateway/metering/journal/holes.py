"""Room on the disk is given back where a file holds nothing but zeros; whoever reads it reads the same."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

BLOCK: Final = 64 << 10
# <linux/falloc.h>: keep the size, punch a hole.
_PUNCH: Final = 0x01 | 0x02
_libc: Final = ctypes.CDLL(None, use_errno=True)


def punch_zeros(path: Path) -> None:
    """Give back the room of every block of zeros.

    Raises:
        OSError: this file system has no holes, or this system no such call; the file is as it was.
    """
    zeros = bytes(BLOCK)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        at = 0
        while data := os.pread(descriptor, BLOCK, at):
            if data == zeros:
                _punch(descriptor, at)
            at += len(data)
    finally:
        os.close(descriptor)


def _punch(descriptor: int, at: int) -> None:
    fallocate = getattr(_libc, "fallocate", None)
    if fallocate is None:
        raise OSError("no fallocate")
    if fallocate(descriptor, _PUNCH, ctypes.c_int64(at), ctypes.c_int64(BLOCK)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
