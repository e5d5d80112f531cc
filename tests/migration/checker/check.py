"""check: one judgement of a whole move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from tests.migration.checker.accounts import addresses_of, check_users
from tests.migration.checker.cells import Cell
from tests.migration.checker.ids import Ids
from tests.migration.checker.keys import check_keys
from tests.migration.checker.names import read_names
from tests.migration.checker.readings.texts import is_open_key
from tests.migration.checker.readings.times import Expectations
from tests.migration.checker.report import Report, read_report
from tests.migration.checker.requests import check_requests
from tests.migration.checker.source import Row, read_source
from tests.migration.checker.target import Target, lowered, micros, read_target
from tests.migration.checker.verdict import Findings, Problem


def check(source: Path, folder: Path, auth: psycopg.Connection[Any], usage: psycopg.Connection[Any]) -> list[Problem]:
    """Return everything that is wrong with a move of a source, told by the report in a folder."""
    report, rows = read_report(folder), read_source(source)
    target = read_target(auth, usage, report.source_id)
    users = {**target.users, **target.others_users}
    target = replace(target, low=lowered(auth, addresses_of(rows["users"], users)))
    found = Findings(report)
    _check_rows(rows, target, _expectations(report), found)
    _check_waiting(rows, report, found)
    _check_readable(rows, report, found)
    _check_summary(report, found)
    for each in target.wrong_sums:
        found.add("wrong_rollup", " ".join(map(str, each.values())))
    return found.problems


def _expectations(report: Report) -> Expectations:
    zone = report.summary["naive_zone"]
    latest = micros(datetime.now(UTC) + timedelta(days=1))
    assert latest is not None  # of a moment that there is
    return Expectations(None if zone is None else ZoneInfo(zone), latest)


def _check_rows(rows: Mapping[str, Sequence[Row]], target: Target, expected: Expectations, found: Findings) -> None:
    ids = Ids(found.report)
    owners = check_users(rows["users"], rows["api_keys"], target, ids, expected, found)
    check_keys(rows["api_keys"], owners, target, ids, expected, found)
    check_requests(rows["usage"], owners, target, ids, read_names(), expected, found)
    # What 1.0 said of providers is history: none of it moves.
    found.settle("provider_status", rows["provider_status"], {row.number: "history" for row in rows["provider_status"]})
    changed = {table: _changed_ids(found.report, table) for table in rows}
    ids.check(changed, found)


def _changed_ids(report: Report, table: str) -> int:
    return sum("id" in fields for (each, _), fields in report.changes.items() if each == table)


def _check_waiting(rows: Mapping[str, Sequence[Row]], report: Report, found: Findings) -> None:
    """Each row in quarantine is there once, with every value as it was."""
    known = {(row.table, row.number): row for table in rows.values() for row in table}
    seen = set()
    for line in report.waiting:
        where = " ".join(map(str, line.place))
        row = known.get(line.place)
        if line.place in seen or row is None:
            found.add("waits_twice" if row else "waits_and_is_not_there", where)
            continue
        seen.add(line.place)
        told = {name: cell for name, cell in row.cells.items() if name not in line.withheld}
        if _exact(line.cells) != _exact(told) or list(line.withheld) != _secrets(row):
            found.add("waits_with_other_values", where, f"{dict(line.cells)}, not {dict(row.cells)}")
        if not line.reason:
            found.add("waits_without_reason", where)
    for table, number in report.changes.keys() - known.keys():
        found.add("changed_and_is_not_there", f"{table} {number}")


def _secrets(row: Row) -> list[str]:
    return ["key_hash"] if row.table == "api_keys" and is_open_key(row.cell("key_hash")) else []


def _exact(cells: Mapping[str, Cell]) -> dict[str, tuple[str, bytes]]:
    return {name: cell.exact for name, cell in cells.items()}


def _check_readable(rows: Mapping[str, Sequence[Row]], report: Report, found: Findings) -> None:
    """What the tool could not read nobody can."""
    for table, holes in report.summary["unreadable"].items():
        for first, last in holes:
            for row in rows[table]:
                if first <= row.number <= last:
                    found.add("readable_row_left_out", f"{table} {row.number}")


def _check_summary(report: Report, found: Findings) -> None:
    for table, fates in found.fates.items():
        told = {name: report.summary["tables"][table].get(name) for name in fates}
        if told != fates:
            found.add("told_other_counts", table, f"{told} are told, {fates} it are")
