"""verify: compares the source with what 1.1 has."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

from migrate.moving.key_proof import KeyProof, prove_keys
from migrate.moving.run import Order
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import open_target
from migrate.moving.verification import Difference
from migrate.moving.verification import verify as compare
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json


def verify(given: argparse.Namespace) -> int:
    """Compare the source with what 1.1 has."""
    with opened_order(given) as order, tempfile.TemporaryDirectory() as folder:
        differences, proof = asyncio.run(_verify(order, Path(folder), given.report))
    differences = [*differences, *proof.differences]
    figures = {"by_hash": proof.by_hash, "used_since": proof.used_since, "looked_up": proof.looked_up}
    given.log.mark("verified", differences=len(differences), keys=figures)
    if given.json:
        print_json([{"what": each.what, "source": each.source, "target": each.target} for each in differences])
    else:
        for each in differences:
            print(f"{each.what}: source {each.source}, target {each.target}")
        print(_proved(proof))
        print("the same" if not differences else f"{len(differences)} differences")
    return NEEDS_A_PERSON if differences else DONE


def _proved(proof: KeyProof) -> str:
    return (
        f"keys: {proof.by_hash} are known by the hash of 1.0, {proof.looked_up} of them were looked up as auth does; "
        f"{proof.used_since} were used since and are hashed anew"
    )


async def _verify(order: Order, folder: Path, report: Path | None) -> tuple[list[Difference], KeyProof]:
    async with open_target(order.source_id) as target:
        with SeenIds(folder / "seen.db") as seen:
            differences = await compare(order, target, seen, report)
        return differences, await prove_keys(order, target)


VERB: Final = Verb("verify", "compare the source with what 1.1 has, day by day", verify)
