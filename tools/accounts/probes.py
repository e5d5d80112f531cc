"""The account of the local suite's probes, made once: a person of its own, and a key with a budget."""

import secrets
from pathlib import Path
from typing import Final

from tools.accounts.calls import DemoCalls
from tools.accounts.demo import Auth
from tools.private_file import write_private

EMAIL: Final = "probes@example.com"
NAME: Final = "Probes"
SCOPES: Final = ("completions:write",)
# Some sixteen versions, each every five minutes, cost a little more than 3,000 roubles a month.
MONTHLY_MICRO_RUB: Final = 5_000_000_000


async def ensure_probe_key(file: Path, auth: Auth) -> None:
    """Write a key that works into the file, unless one is there or people cannot be seeded (in production)."""
    async with auth.channel() as channel:
        calls = DemoCalls(channel)
        if await calls.holder(_known(file)):
            return
        person = await calls.seed(EMAIL, secrets.token_urlsafe(18), name=NAME, admin=False)
        if person is not None:
            write_private(file, await calls.new_key(person, NAME, SCOPES, monthly_micro_rub=MONTHLY_MICRO_RUB))


def _known(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""
