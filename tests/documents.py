"""What a test needs to run a document: its blocks of code, and the environment of somebody who types them."""

import os
import re
from pathlib import Path
from typing import Final

BLOCK: Final = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
# Of the test run and of the `make` it was started by; a reader has none of them.
OURS: Final = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS")


def code_blocks(document: Path) -> list[tuple[str, str]]:
    """Return language and text of every fenced block that names a language."""
    return [(found[1], found[2]) for found in BLOCK.finditer(document.read_text())]


def environment() -> dict[str, str]:
    """Return the environment of a shell beside this test run; nothing goes through a proxy."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name not in OURS}
    return kept | {"PYTHONPATH": ""}
