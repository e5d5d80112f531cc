"""The folder of the journals, looked at before anything is served."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from services.gateway.metering.journal.journal import NO_SPACE


def check_journal_dir(path: Path) -> None:
    """See that journals can be kept there.

    Raises:
        SystemExit: they cannot; one line says why and what to do.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path)
        os.close(descriptor)
        os.unlink(name)
    except OSError as exc:
        if exc.errno not in NO_SPACE:
            raise SystemExit(
                f"GATEWAY_JOURNAL_DIR={path}: {exc.strerror}; name a folder that this user can write"
            ) from None
