"""`razvilka report`: order, wait, save, prove."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from razvilka_cli.gateway import answer_of, check, open_gateway

# A Russian Excel's CSV.
EXCEL: Final = {"separator": ";", "decimal": ",", "bom": True, "header": "titles"}
POLL_S: Final = 1.0
Order = dict[str, Any]


def filters_of(given: Iterable[str]) -> dict[str, list[str]]:
    """Return filters by name.

    Raises:
        UsageError: one has no `=`.
    """
    filters: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--filter {each}: must be NAME=VALUE, as model=yandexgpt")
        filters.setdefault(name, []).append(value)
    return filters


def order_of(wishes: Order, period: dict[str, str], *, excel: bool) -> Order:
    """Return the order as the API reads it."""
    order = {**wishes, **{name: value for name, value in period.items() if value}}
    return {**order, "csv": EXCEL} if excel else order


def save_report(connection: tuple[str, str], order: Order, output: Path | None) -> None:
    """Order a report and save it, showing how far it is.

    Raises:
        ClickException: it failed, or what arrived is not what was made.
    """
    with open_gateway(connection) as client, _progress() as progress:
        report = answer_of(client.post("/v1/reports", json=order))
        report = _wait(client, report, progress, time.sleep)
        path = _path(output, report["file_name"])
        _download(client, report, path, progress)
    Console(stderr=True).print(f"{report['rows']} requests, sha256 {report['sha256']}", highlight=False)
    click.echo(path)


def _progress() -> Progress:
    share = TextColumn("{task.percentage:>3.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), share, TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _wait(
    client: httpx.Client, report: dict[str, Any], progress: Progress, sleep: Callable[[float], None]
) -> dict[str, Any]:
    task = progress.add_task("report", total=1.0)
    while report["status"] not in {"done", "failed"}:
        progress.update(task, completed=report["progress"], description=report["status"])
        sleep(POLL_S)
        report = answer_of(client.get(f"/v1/reports/{report['id']}"))
    if report["status"] == "failed":
        raise click.ClickException(report["error"] or "The report could not be made.")
    progress.remove_task(task)
    return report


def _path(output: Path | None, file_name: str) -> Path:
    if output is None:
        return Path(file_name)
    return output / file_name if output.is_dir() else output


def _download(client: httpx.Client, report: dict[str, Any], path: Path, progress: Progress) -> None:
    task, digest = progress.add_task("download", total=report["size_bytes"]), hashlib.sha256()
    part = path.with_name(path.name + ".part")
    with client.stream("GET", f"/v1/reports/{report['id']}/content") as response, part.open("wb") as file:
        check(response)
        for piece in response.iter_bytes():
            _keep(piece, file.write, digest.update, progress, task)
    if digest.hexdigest() != report["sha256"]:
        part.unlink()
        raise click.ClickException("What arrived is not the report that was made (its sha256 differs). Try again.")
    # A file with the report's name is whole, always.
    part.replace(path)


def _keep(
    piece: bytes, write: Callable[[bytes], Any], digest: Callable[[bytes], None], progress: Progress, task: TaskID
) -> None:
    write(piece)
    digest(piece)
    progress.advance(task, len(piece))
