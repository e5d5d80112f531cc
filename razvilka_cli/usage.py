"""`razvilka usage`: a table of what was used."""

from __future__ import annotations

from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from razvilka_cli.gateway import answer_of, open_gateway

# What a table shows of each group.
FIGURES: Final = ("requests", "errors", "tokens_input", "tokens_output", "cost_rub")


def show_usage(connection: tuple[str, str], params: dict[str, str], *, as_json: bool) -> None:
    """Print the figures of a period by group, the dearest first, with their total.

    Raises:
        ClickException: the gateway refused.
    """
    with open_gateway(connection) as client:
        response = client.get("/v1/usage/summary", params=params)
        summary = answer_of(response)
    if as_json:
        click.echo(response.text)
        return
    Console().print(_table(summary))


def _table(summary: dict[str, Any]) -> Table:
    period = summary["period"]
    title = f"{period['from']} – {period['to']}, {period['time_zone']}"
    table = Table(title=title, show_footer=True)
    total = summary["total"]
    table.add_column("", footer="total")
    for name in FIGURES:
        table.add_column(name, footer=str(total[name]), justify="right")
    for row in summary["data"]:
        table.add_row(_name(row), *[str(row[name]) for name in FIGURES])
    return table


def _name(row: dict[str, Any]) -> str:
    return "other" if row["is_other"] else " / ".join(row["group"].values()) or "–"
