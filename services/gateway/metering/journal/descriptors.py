"""Files by their descriptors, where a write has to be one call to the kernel at a place of its own."""

from __future__ import annotations

import os
from typing import Final

CLOSED: Final = -1
"""No file's, whatever is opened: what is written to it fails."""


def close(descriptor: int) -> int:
    """Close a descriptor and return the one to keep in its place.

    Its number may be another file's, or a connection's, at once: what is written too late must not go there.
    """
    os.close(descriptor)
    return CLOSED
