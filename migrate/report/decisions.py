"""What a person must decide after a run, and by which command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote
from typing import Final

from migrate.report.reading import Findings

# What 1.0 said of its providers has no place in 1.1; nobody has to decide about it.
HISTORY: Final = "provider_status"
NO_ZONE: Final = "time_without_zone"


@dataclass(frozen=True, slots=True)
class ToDecide:
    """Something that waits for a person; `command` carries the decision out, empty: none of ours does."""

    what: str
    rows: int
    command: str = ""


def to_decide(found: Findings, source: str) -> list[ToDecide]:
    """Return all of it for the source that a report is of."""
    return [*_waiting(found, source), *_addresses(found, source), *_keys(found), *_unreadable(found)]


def _run(found: Findings, source: str, *, zone: bool = False) -> str:
    """Return the command of a move: into the folder at hand, but behind a trial into another one."""
    folder = "DIR" if found.is_trial else quote(str(found.folder))
    stated = found.summary.get("naive_zone") if zone and found.summary else None
    return f"razvilka-migrate run --source {quote(source)} --report {folder}" + (
        f" --naive-zone {stated}" if stated else ""
    )


def _waiting(found: Findings, source: str) -> Iterator[ToDecide]:
    again = f"{_run(found, source)} --from-quarantine"
    no_zone = sum(rows for (_, _, reason), rows in found.waiting.items() if reason == NO_ZONE)
    rest = sum(rows for (table, _, reason), rows in found.waiting.items() if table != HISTORY and reason != NO_ZONE)
    if no_zone:
        command = f"{again} {quote(str(found.folder / 'quarantine.jsonl'))} --naive-zone ZONE"
        if found.is_trial:
            command = f"{_run(found, source)} --naive-zone ZONE"
        yield ToDecide("times say no zone: in which zone did the server of 1.0 write", no_zone, command)
    if rest:
        yield ToDecide(
            "rows wait: write those that can be mended, with their right values, to FILE"
            + (", when you have moved" if found.is_trial else ""),
            rest,
            f"{again} FILE",
        )


def _addresses(found: Findings, source: str) -> Iterator[ToDecide]:
    if found.summary is None:
        return
    merged = found.summary.get("merged", {})
    groups = [ids for _, *ids in found.summary["addresses_of_several"]]
    apart = [[id_ for id_ in ids if id_ not in merged] for ids in groups]
    apart = [ids for ids in apart if len(ids) > 1]
    if apart:
        decisions = " ".join(f"--merge-users {quote(f'{keep}<-{gone}')}" for keep, gone, *_ in apart[:3])
        command = f"{_run(found, source, zone=True)} {decisions}"
        if not found.is_trial:
            command = f"razvilka-migrate undo --source {quote(source)}; then {command}"
        yield ToDecide("addresses are those of several accounts, which stay apart", len(apart), command)


def _keys(found: Findings) -> Iterator[ToDecide]:
    if found.open_keys:
        shown = ", ".join(found.open_keys[:3]) + (" ..." if len(found.open_keys) > 3 else "")
        yield ToDecide(
            f"open keys in 1.0, not their hashes: have their owners rotate them ({shown})", len(found.open_keys)
        )


def _unreadable(found: Findings) -> Iterator[ToDecide]:
    holes = found.summary["unreadable"] if found.summary else {}
    for table, ranges in holes.items():
        for first, last in ranges:
            yield ToDecide(f"{table}: rowids {first} to {last} cannot be read: look for them in a backup", 0)
