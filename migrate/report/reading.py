"""read_report: what a folder of a report says, counted; memory does not grow with its lines."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from migrate.report.faults import ReportFault
from migrate.report.files import SUMMARY, TRIAL
from migrate.rules.key_hashes import OPEN

EXAMPLES: Final = 3
MOST_KEYS: Final = 100
# Table, field, and rule or reason.
Kind = tuple[str, str, str]


@dataclass(slots=True)
class Findings:
    """What became of the rows.

    Attributes:
        folder: of the report.
        is_trial: whether it is of a plan: nothing of it has moved.
        summary: of the last run that came to its end; None: there was none.
        repairs: how many by kind.
        waiting: rows in quarantine that have not come back, by kind.
        back: rows that came back from quarantine, by table.
        examples: of waiting rows: the rowid and the value that says too little.
        open_keys: ids of keys that lay open, a hundred at most.
    """

    folder: Path
    is_trial: bool = False
    summary: Mapping[str, Any] | None = None
    repairs: Counter[Kind] = field(default_factory=Counter)
    waiting: Counter[Kind] = field(default_factory=Counter)
    back: Counter[str] = field(default_factory=Counter)
    examples: dict[Kind, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    open_keys: list[str] = field(default_factory=list)


def read_report(folder: Path) -> Findings:
    """Return what a folder says.

    Raises:
        ReportFault: a line of it cannot be read.
    """
    found = Findings(folder, (folder / TRIAL).exists(), _summary(folder / SUMMARY))
    for line in latest_lines(folder / "quarantine.jsonl"):
        if "superseded" in line:
            found.back[line["table"]] += 1
        else:
            _count_waiting(found, line)
    for line in latest_lines(folder / "repairs.jsonl"):
        if "superseded" not in line:
            _count_repair(found, line)
    return found


def latest_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield those lines of a row that count: of its latest round.

    Raises:
        ReportFault: a line cannot be read.
    """
    latest = {(line["table"], line["rowid"]): line["round"] for line in lines_of(path) if "round" in line}
    for line in lines_of(path):
        if latest.get((line["table"], line["rowid"]), 0) == line.get("round", 0):
            yield line


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file of the report; one without an end was being written when the command was killed.

    Raises:
        ReportFault: a line cannot be read.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as exc:
                message = f"{path} line {number} cannot be read: take the file back from a copy."
                raise ReportFault("report_damaged", message) from exc


def _summary(path: Path) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise ReportFault("report_damaged", f"{path} cannot be read: run again, it is written anew.") from exc
    return found


def _count_repair(found: Findings, line: Mapping[str, Any]) -> None:
    found.repairs[line["table"], line["field"], line["rule"]] += 1
    if line["rule"] == OPEN and len(found.open_keys) < MOST_KEYS:
        found.open_keys.append(line["id"])


def _count_waiting(found: Findings, line: Mapping[str, Any]) -> None:
    kind = (line["table"], line["field"], line["reason"])
    found.waiting[kind] += 1
    if len(found.examples[kind]) < EXAMPLES:
        shown = line["values"].get(line["field"] or "id", {"class": "null"})
        found.examples[kind].append({"rowid": line["rowid"], "value": shown})
