"""What tests of Compose's files share: the compose program, and stand-ins for what scripts of containers call."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def compose(folder: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder; of the environment it knows no more than what is given."""
    program = str(Path(sys.executable).with_name("docker-compose"))
    environment = {"PATH": os.environ["PATH"], "HOME": "/", **given}
    return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def stand_in(folder: Path, programs: Mapping[str, str]) -> None:
    """Write what each of the programs does instead, in shell, into a folder for PATH."""
    folder.mkdir(exist_ok=True)
    for name, text in programs.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
