"""--merge-users: decisions from the command line, from a file, or from a person at the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from migrate.fates.merging import ARROW, Collision, Decision, WrongDecision, read_decision
from migrate.moving.owners import Ask

ASK: Final = "ask"
COMMENT: Final = "#"


def add_merge_users(parser: argparse.ArgumentParser) -> None:
    """Add the argument."""
    parser.add_argument(
        "--merge-users",
        action="append",
        default=[],
        metavar="KEEP<-GONE|FILE|ask",
        help="accounts with one address that become one: a decision, a file with one a line, or ask; may be repeated",
    )


def decisions_of(given: argparse.Namespace) -> tuple[list[Decision], Ask | None]:
    """Return the decisions that are known, and what asks for more.

    Raises:
        WrongDecision: one cannot be read, or nobody is there to be asked.
    """
    texts = [text for each in given.merge_users if each != ASK for text in _texts(each)]
    if ASK not in given.merge_users:
        return [read_decision(text) for text in texts], None
    if not sys.stdin.isatty():
        raise WrongDecision("--merge-users ask needs a terminal: give decisions or a file instead.")
    return [read_decision(text) for text in texts], ask


def _texts(value: str) -> Iterator[str]:
    if ARROW in value:
        yield value
        return
    try:
        lines = Path(value).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise WrongDecision(f"--merge-users {value}: no KEEP{ARROW}GONE, and no file that can be read: {exc}.") from exc
    yield from (line for line in lines if line.strip() and not line.lstrip().startswith(COMMENT))


def ask(collisions: Sequence[Collision]) -> list[Decision]:
    """Ask at the terminal, group by group, which account is kept; an empty answer leaves them apart."""
    decisions: list[Decision] = []
    for each in collisions:
        print(f"\n{each.address} is the address of {len(each.user_ids)} accounts:", file=sys.stderr)
        for number, id_ in enumerate(each.user_ids, 1):
            print(f"  {number}: {id_}" + (" (in 1.1 already)" if number <= each.of_1_1 else ""), file=sys.stderr)
        keep = _answer(len(each.user_ids))
        if keep is not None:
            gone = (id_ for place, id_ in enumerate(each.user_ids) if place != keep and place >= each.of_1_1)
            decisions += [Decision(each.user_ids[keep], id_) for id_ in gone]
    return decisions


def _answer(count: int) -> int | None:
    while True:
        question = f"Into which are the others merged, 1 to {count}? Enter: none, they stay apart. "
        print(question, end="", file=sys.stderr, flush=True)
        said = sys.stdin.readline().strip()
        if not said:
            return None
        if said.isdecimal() and 1 <= int(said) <= count:
            return int(said) - 1
