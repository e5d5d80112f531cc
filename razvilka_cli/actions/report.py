"""`razvilka report`: order, wait, save, prove."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Final

import click
import httpx
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import answer_of, check
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import console, note, show_json, whole_file
from razvilka_cli.session import open_gateway

# A Russian Excel's CSV.
EXCEL: Final = {"separator": ";", "decimal": ",", "bom": True, "header": "titles"}
POLL_S: Final = 1.0
# The gateway counts a long period before it answers, and would be asked for the same report again.
READ_S: Final = 300.0
Order = dict[str, Any]


def order_of(wishes: Order, period: dict[str, str], *, excel: bool) -> Order:
    """Return the order as the API reads it."""
    order = {**wishes, **period}
    return {**order, "csv": EXCEL} if excel else order


def save_report(invocation: Invocation, order: Order, output: Path | None) -> None:
    """Order a report and save it, showing how far it is.

    Raises:
        Failure: it failed, or what arrived is not what was made.
    """
    with open_gateway(invocation, read_s=READ_S) as client, _progress() as progress:
        report = answer_of(client.post("/v1/reports", json=order))
        report = _wait(client, report, progress)
        path = _path(output, report["file_name"])
        _download(client, report, path, progress)
    if invocation.as_json:
        show_json({**report, "path": str(path)})
        return
    note(f"{report['rows']} requests, sha256 {report['sha256']}")
    click.echo(path)


def _progress() -> Progress:
    share = TextColumn("{task.percentage:>3.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), share, TimeElapsedColumn())
    out = console(err=True)
    # Where nobody looks it would leave an empty line before an error, which is one line.
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


def _wait(client: httpx.Client, report: dict[str, Any], progress: Progress) -> dict[str, Any]:
    task = progress.add_task("report", total=1.0)
    while report["status"] not in {"done", "failed"}:
        progress.update(task, completed=report["progress"], description=report["status"])
        time.sleep(POLL_S)
        report = answer_of(client.get(f"/v1/reports/{report['id']}"))
    if report["status"] == "failed":
        raise Failure(report["error"] or "The report could not be made.", Status.SERVER, code="report_failed")
    progress.remove_task(task)
    return report


def _path(output: Path | None, file_name: str) -> Path:
    # A name, whatever the gateway says: it does not choose the folder.
    name = Path(file_name).name
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output


def _download(client: httpx.Client, report: dict[str, Any], path: Path, progress: Progress) -> None:
    task, digest = progress.add_task("download", total=report["size_bytes"]), hashlib.sha256()
    with whole_file(path) as file, client.stream("GET", f"/v1/reports/{report['id']}/content") as response:
        check(response)
        for piece in response.iter_bytes():
            file.write(piece)
            digest.update(piece)
            progress.advance(task, len(piece))
        if digest.hexdigest() != report["sha256"]:
            message = "What arrived is not the report that was made (its sha256 differs)."
            raise Failure(message, Status.SERVER, code="damaged", fix="Try again.")
