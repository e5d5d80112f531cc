"""`razvilka reconcile`: a provider's statement beside what the gateway billed, by day and model."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from razvilka_cli.errors import Failure, Status
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import show_json, show_table
from razvilka_cli.session import get

COLUMNS: Final = ("date", "model", "cost_rub")
COLUMNS_SHOWN: Final = ("day", "model", "stated, ₽", "billed, ₽", "difference, ₽")
# Providers round a day's sum to kopecks.
A_KOPECK: Final = Decimal("0.01")
Place = tuple[date, str]
Sums = Mapping[Place, Decimal]


@dataclass(frozen=True, slots=True)
class Difference:
    """A day and a model whose sums are not the same; None: one side does not know them."""

    day: date
    model: str
    stated: Decimal | None
    billed: Decimal | None


def reconcile(invocation: Invocation, provider: str, statement: Path, tz: str) -> int:
    """Print what differs; return how many lines do.

    Raises:
        Failure: the file or the gateway cannot be read.
    """
    stated = read_statement(statement)
    if not stated:
        raise _bad_statement(f"{statement} has no line.", "Give one with a line for each day and model.")
    first, last = min(day for day, _ in stated), max(day for day, _ in stated)
    found = list(differences(stated, _billed(invocation, provider, (first, last), tz)))
    if invocation.as_json:
        show_json(_as_json(found, len(stated)))
        return len(found)
    if found:
        show_table(COLUMNS_SHOWN, map(_row, found), right=COLUMNS_SHOWN[2:])
    click.echo(f"{len(stated)} lines of {provider}, {len(found)} differ")
    return len(found)


def read_statement(path: Path) -> Sums:
    """Return the sums of a file with the columns date, model and cost_rub; lines of one day and model are added up.

    Raises:
        Failure: a column is missing or a value is none; the line is named.
    """
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            absent = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if absent:
                raise _bad_statement(f"{path} has no column {', '.join(absent)}.", f"It needs {', '.join(COLUMNS)}.")
            for row in rows:
                sums[_place(row, path, rows.line_num)] += _amount(row, path, rows.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise _bad_statement(f"{path} cannot be read: {exc}.", "It must be CSV in UTF-8.") from exc
    return sums


def differences(stated: Sums, billed: Sums) -> Iterator[Difference]:
    """Yield what differs by more than a kopeck, in the order of days and models."""
    for day, model in sorted(stated.keys() | billed.keys()):
        theirs, ours = stated.get((day, model)), billed.get((day, model))
        if abs((theirs or Decimal()) - (ours or Decimal())) > A_KOPECK:
            yield Difference(day, model, theirs, ours)


def _place(row: Mapping[str, str], path: Path, line: int) -> Place:
    try:
        return date.fromisoformat(row["date"].strip()), row["model"].strip()
    except (ValueError, AttributeError) as exc:
        raise _bad_statement(f"{path}, line {line}: date must be a day.", "Write it like 2026-11-29.") from exc


def _amount(row: Mapping[str, str], path: Path, line: int) -> Decimal:
    try:
        amount = Decimal(row["cost_rub"].strip().replace(",", "."))
    except (InvalidOperation, AttributeError) as exc:
        raise _bad_amount(path, line) from exc
    if not amount.is_finite():
        raise _bad_amount(path, line)
    return amount


def _billed(invocation: Invocation, provider: str, days: tuple[date, date], tz: str) -> Sums:
    """Return what everybody was billed for the provider's models, by day in the zone."""
    params = {
        "user_id": "*",
        "from": days[0].isoformat(),
        "to": date.fromordinal(days[1].toordinal() + 1).isoformat(),
        "tz": tz,
        "bucket": "day",
        "group_by": "version",
        "provider": provider,
    }
    answer = get(invocation, "/v1/usage/timeseries", params)
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    for row in answer["data"]:
        day = datetime.fromisoformat(row["starts_at"]).astimezone(ZoneInfo(tz)).date()
        sums[day, row["group"]["version"]] += Decimal(row["cost_rub"])
    return sums


def _row(each: Difference) -> tuple[str, ...]:
    difference = (each.stated or Decimal()) - (each.billed or Decimal())
    return (str(each.day), each.model, _shown(each.stated), _shown(each.billed), f"{difference:+}")


def _as_json(found: list[Difference], lines: int) -> dict[str, Any]:
    rows = [
        dict(zip(("day", "model", "stated_rub", "billed_rub", "difference_rub"), _row(each), strict=True))
        for each in found
    ]
    return {"lines": lines, "differences": rows}


def _shown(amount: Decimal | None) -> str:
    return "–" if amount is None else str(amount)


def _bad_amount(path: Path, line: int) -> Failure:
    return _bad_statement(f"{path}, line {line}: cost_rub must be a number.", "Write it like 12.50.")


def _bad_statement(message: str, fix: str) -> Failure:
    return Failure(message, Status.USAGE, code="bad_statement", fix=fix)
