"""`python -m services.gateway serve`."""

from __future__ import annotations

from servicekit.entry import run
from servicekit.settings import load
from services.gateway.server import serve
from services.gateway.settings import GatewaySettings


async def _serve() -> None:
    await serve(load(GatewaySettings))


if __name__ == "__main__":
    run("gateway", _serve)
