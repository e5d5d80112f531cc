"""`python -m services.gateway serve`, and what an operator does with journals (see `journal_commands`)."""

from __future__ import annotations

import sys

from servicekit.configuration.loading import load
from servicekit.entry import run
from services.gateway import journal_commands
from services.gateway.server import serve
from services.gateway.settings import GatewaySettings


def _settings() -> GatewaySettings:
    return load(GatewaySettings)


async def _serve() -> None:
    await serve(_settings())


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in journal_commands.COMMANDS:
        journal_commands.main(sys.argv[1:], _settings)
    run("gateway", _serve)
