"""`python -m services.gateway serve`."""

from __future__ import annotations

from servicekit.configuration.loading import load
from servicekit.entry import run
from services.gateway.server import serve
from services.gateway.settings import GatewaySettings


async def _serve() -> None:
    await serve(load(GatewaySettings))


if __name__ == "__main__":
    run("gateway", _serve)
