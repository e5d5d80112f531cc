"""The report of a move, as lines that were written."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.migration.checker.cells import Cell, told_cell

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row in quarantine; `withheld` are columns whose secrets are not repeated."""

    place: Place
    reason: str
    cells: Mapping[str, Cell]
    withheld: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A field that was changed; `old` is None where a secret is not repeated."""

    id: str
    old: Cell | None
    new: Any
    rule: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the tool says it did."""

    summary: Mapping[str, Any]
    waiting: Sequence[Waiting]
    changes: Mapping[Place, Mapping[str, Sequence[Change]]]
    ids: Sequence[tuple[str, Cell, str]]

    @property
    def source_id(self) -> str:
        """Return what names the source in 1.1."""
        return str(self.summary["source_id"])


def read_report(folder: Path) -> Report:
    """Return the report in a folder."""
    changes: dict[Place, dict[str, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for line in _latest(folder / "repairs.jsonl"):
        old = None if line["old"]["class"] == "withheld" else told_cell(line["old"])
        changes[_place(line)][line["field"]].append(Change(line["id"], old, line["new"], line["rule"]))
    return Report(
        summary=json.loads((folder / "summary.json").read_bytes()),
        waiting=[_waiting(line) for line in _latest(folder / "quarantine.jsonl")],
        changes=changes,
        ids=list(dict.fromkeys(_mapping(line) for line in _lines(folder / "id_map.jsonl"))),
    )


def _waiting(line: Any) -> Waiting:
    withheld = [name for name, value in line["values"].items() if value["class"] == "withheld"]
    cells = {name: told_cell(value) for name, value in line["values"].items() if name not in withheld}
    return Waiting(_place(line), line["reason"], cells, withheld)


def _mapping(line: Any) -> tuple[str, Cell, str]:
    return line["table"], told_cell(line["source_id"]), line["target_id"]


def _place(line: Any) -> Place:
    return line["table"], line["rowid"]


def _latest(path: Path) -> list[Any]:
    """Return the lines that count: those of the latest round that says anything of their row."""
    lines = _lines(path)
    latest: dict[Place, int] = {}
    for line in lines:
        latest[_place(line)] = max(latest.get(_place(line), 0), line.get("round", 0))
    counting = [line for line in lines if line.get("round", 0) == latest[_place(line)]]
    return [line for line in counting if "superseded" not in line]


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
