"""verify: compares the source with what 1.1 has."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from migrate.moving.key_proof import KeyProof, prove_keys
from migrate.moving.run import Order
from migrate.moving.seen_ids import opened_ids
from migrate.moving.target import open_target
from migrate.moving.verification import Difference
from migrate.moving.verification import verify as compare
from migrate.proving.known_keys import KnownProof, prove_known_keys, read_known_keys
from migrate.proving.running_auth import open_verifier
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, checked, opened_order, print_json


def verify(given: argparse.Namespace) -> int:
    """Compare the source with what 1.1 has."""
    with opened_order(given) as order, tempfile.TemporaryDirectory() as folder:
        differences, proof, known = asyncio.run(_verify(order, Path(folder), given))
    differences = [*differences, *proof.differences, *(known.differences if known else ())]
    given.log.mark("verified", differences=len(differences), keys=_figures(proof), known_keys=_known_figures(known))
    if given.json:
        print_json([{"what": each.what, "source": each.source, "target": each.target} for each in differences])
    else:
        for each in differences:
            print(f"{each.what}: source {each.source}, target {each.target}")
        print(_proved(proof), *_known_proved(known), sep="\n")
        print("the same" if not differences else f"{len(differences)} differences")
    return NEEDS_A_PERSON if differences else DONE


def _figures(proof: KeyProof) -> dict[str, int]:
    return {"by_hash": proof.by_hash, "used_since": proof.used_since, "looked_up": proof.looked_up}


def _known_figures(known: KnownProof | None) -> dict[str, Any] | None:
    if known is None:
        return None
    counts = {"verified": known.verified, "expired": known.expired, "used_since": known.used_since}
    return {"by": known.by, **counts, "differences": len(known.differences)}


def _proved(proof: KeyProof) -> str:
    return (
        f"keys: {proof.by_hash} are known by the hash of 1.0, {proof.looked_up} of them were looked up as auth does; "
        f"{proof.used_since} were used since and are hashed anew"
    )


def _known_proved(known: KnownProof | None) -> Iterator[str]:
    if known is not None:
        expired = f", {known.expired} refused because their time is over, as in 1.0" if known.expired else ""
        used = f", {known.used_since} used since, which only the running auth can verify" if known.used_since else ""
        yield f"known keys: {known.verified} verified{expired}{used}; asked was {known.by}"


async def _verify(
    order: Order, folder: Path, given: argparse.Namespace
) -> tuple[list[Difference], KeyProof, KnownProof | None]:
    async with open_target(order.source_id) as target:
        with opened_ids(folder / "seen.db") as seen:
            differences = await compare(order, target, seen, given.report)
        # Before known keys are used, which hashes them anew.
        proof = await prove_keys(order, target)
        if given.known_keys is None:
            return differences, proof, None
        async with open_verifier(target, order.reading.now) as verifier:
            return differences, proof, await prove_known_keys(order, target, given.known_keys, verifier)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--known-keys",
        type=checked(lambda path: read_known_keys(Path(path))),
        metavar="FILE",
        help="keys of 1.0, one a line, that are verified by the running auth; they are nowhere written down",
    )


VERB: Final = Verb("verify", "compare the source with what 1.1 has, day by day", verify, _add_arguments)
