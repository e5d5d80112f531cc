"""The Lua scripts of this folder, loaded once, with their digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its text and the digest EVALSHA wants."""

    name: str
    body: bytes
    sha: bytes


def load_script(name: str) -> Script:
    """Read `<name>.lua` beside this file."""
    body = (Path(__file__).parent / f"{name}.lua").read_bytes()
    return Script(name, body, hashlib.sha1(body, usedforsecurity=False).hexdigest().encode())


ADMIT: Final = load_script("admit")
SETTLE: Final = load_script("settle")
RENEW: Final = load_script("renew")
SEED: Final = load_script("seed")
RECONCILE: Final = load_script("reconcile")
