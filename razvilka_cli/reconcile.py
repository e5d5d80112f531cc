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
from rich.console import Console
from rich.table import Table

from razvilka_cli.gateway import answer_of, open_gateway

COLUMNS: Final = ("date", "model", "cost_rub")
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


def reconcile(connection: tuple[str, str], provider: str, statement: Path, tz: str) -> int:
    """Print what differs; return how many lines do.

    Raises:
        ClickException: the file or the gateway cannot be read.
    """
    stated = read_statement(statement)
    if not stated:
        raise click.ClickException(f"{statement} has no line.")
    first, last = min(day for day, _ in stated), max(day for day, _ in stated)
    found = list(differences(stated, _billed(connection, provider, (first, last), tz)))
    if found:
        Console().print(_table(found))
    click.echo(f"{len(stated)} lines of {provider}, {len(found)} differ")
    return len(found)


def read_statement(path: Path) -> Sums:
    """Return the sums of a file with the columns date, model and cost_rub; lines of one day and model are added up.

    Raises:
        ClickException: a column is missing or a value is none; the line is named.
    """
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            absent = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if absent:
                raise click.ClickException(f"{path} has no column {', '.join(absent)}.")
            for row in rows:
                sums[_place(row, path, rows.line_num)] += _amount(row, path, rows.line_num)
    except (OSError, UnicodeDecodeError) as exc:
        raise click.ClickException(f"{path} cannot be read: {exc}") from exc
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
        raise click.ClickException(f"{path}, line {line}: date must be a day, like 2026-11-29.") from exc


def _amount(row: Mapping[str, str], path: Path, line: int) -> Decimal:
    try:
        amount = Decimal(row["cost_rub"].strip().replace(",", "."))
    except (InvalidOperation, AttributeError) as exc:
        raise click.ClickException(f"{path}, line {line}: cost_rub must be a number.") from exc
    if not amount.is_finite():
        raise click.ClickException(f"{path}, line {line}: cost_rub must be a number.")
    return amount


def _billed(connection: tuple[str, str], provider: str, days: tuple[date, date], tz: str) -> Sums:
    """Return what everybody was billed for the provider's models, by day in the zone."""
    params = {
        "user_id": "*",
        "from": days[0].isoformat(),
        "to": date.fromordinal(days[1].toordinal() + 1).isoformat(),
        "tz": tz,
        "bucket": "day",
        "group_by": "version",
        "provider": provider,
        "top": "100",
    }
    with open_gateway(connection) as client:
        answer: dict[str, Any] = answer_of(client.get("/v1/usage/timeseries", params=params))
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    for row in answer["data"]:
        day = datetime.fromisoformat(row["starts_at"]).astimezone(ZoneInfo(tz)).date()
        # Beyond the hundred dearest models there is one line for all others.
        sums[day, row["group"]["version"] if row["group"] else "other"] += Decimal(row["cost_rub"])
    return sums


def _table(found: list[Difference]) -> Table:
    table = Table()
    for name in ("day", "model", "stated, ₽", "billed, ₽", "difference, ₽"):
        table.add_column(name, justify="left" if name in ("day", "model") else "right")
    for each in found:
        difference = (each.stated or Decimal()) - (each.billed or Decimal())
        table.add_row(str(each.day), each.model, _shown(each.stated), _shown(each.billed), f"{difference:+}")
    return table


def _shown(amount: Decimal | None) -> str:
    return "–" if amount is None else str(amount)
