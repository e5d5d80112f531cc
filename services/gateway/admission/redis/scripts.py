"""The Lua scripts of this folder, loaded once, with their digests.

A script is the constants of `conventions.py`, then `shared.lua`, then its own file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.gateway.admission.redis.conventions import dimension_table, prelude


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its text and the digest EVALSHA wants."""

    name: str
    body: bytes
    sha: bytes


def load_script(name: str, *, more: str = "", in_cluster: bool = False) -> Script:
    """Read `<name>.lua` of this folder and put before it what it may use, `more` last."""
    here = Path(__file__).parent
    kind = f"local IN_CLUSTER = {str(in_cluster).lower()}"
    parts = (prelude(), kind, (here / "shared.lua").read_text(), more, (here / f"{name}.lua").read_text())
    body = "\n".join(parts).encode()
    return Script(name, body, hashlib.sha1(body, usedforsecurity=False).hexdigest().encode())


ADMIT: Final = load_script("admit", more=dimension_table())
SETTLE: Final = load_script("settle")
RENEW: Final = load_script("renew")
SEED: Final = load_script("seed")
RECOUNT: Final = load_script("recount")
RECONCILE: Final = load_script("reconcile")
TAKE: Final = load_script("take")

IN_CLUSTER: Final = {
    script.name: load_script(script.name, more=dimension_table() if script is ADMIT else "", in_cluster=True)
    for script in (ADMIT, SETTLE, RENEW, SEED, RECOUNT, RECONCILE)
}
"""The same for a Redis Cluster, by name: they write nothing while some of their keys are on their way elsewhere."""
