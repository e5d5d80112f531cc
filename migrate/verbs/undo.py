"""undo: takes back what the source brought."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any, Final

from migrate.moving.run import source_id_of
from migrate.moving.target import open_target
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, print_json


def undo(given: argparse.Namespace) -> int:
    """Take back what the source brought."""
    taken = asyncio.run(_undo(source_id_of(given.source)))
    if given.json:
        print_json(taken)
    else:
        print(f"taken back: {taken['requests']} requests, {taken['keys']} keys, {taken['accounts']} accounts")
        for kind, id_, needed_by in taken["staying"]:
            print(f"stays, because it has what was born in 1.1: {kind} {id_}: {needed_by}")
    return NEEDS_A_PERSON if taken["staying"] else DONE


async def _undo(source_id: str) -> dict[str, Any]:
    async with open_target(source_id) as target:
        requests = await target.usage.take_back()
        # Requests of 1.1 keep the account on which they are booked.
        in_use = await target.usage.users_of_others(await target.auth.brought_accounts())
        back = await target.auth.take_back(in_use)
    staying = [list(each) for each in back.staying]
    return {"requests": requests, "keys": len(back.keys), "accounts": len(back.accounts), "staying": staying}


VERB: Final = Verb("undo", "take back what was brought; what was born in 1.1 stays", undo)
