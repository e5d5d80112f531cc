"""`python -m servicekit.probe ADDRESS`: exit 0 when a service is ready. For container engines without gRPC probes.

ADDRESS is host:port of a gRPC service that speaks plaintext, `auth@host:port` of one that shows the certificate in
AUTH_TLS_DIR, or the URL of an HTTP one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from servicekit.rpc_client import Peer, is_serving, open_channel

DEADLINE_S = 3.0


async def is_ready(address: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the service at the address says that it can serve."""
    if address.startswith("http://"):
        return await asyncio.to_thread(_answers, address)
    service, _, target = address.rpartition("@")
    peer = Peer(service, Path(environment[f"{service.upper()}_TLS_DIR"])) if service else None
    async with open_channel(target, peer) as channel:
        return await is_serving(channel, deadline_s=DEADLINE_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:  # noqa: S310 (http:// was checked)
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(is_ready(sys.argv[1])) else 1)
