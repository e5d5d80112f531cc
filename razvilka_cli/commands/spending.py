"""usage, requests, report, export, reconcile."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from razvilka_cli.commands.periods import filters_of, given_period, period_options
from razvilka_cli.errors import Status
from razvilka_cli.invocation import Invocation
from razvilka_cli.program import Command, Group

FORMATS: Final = ("csv", "json", "jsonl", "xlsx", "pdf", "parquet")
BUCKETS: Final = ("hour", "day", "week", "month")


@click.command(cls=Command)
@period_options
@click.option("--group-by", "group_by", multiple=True, help="version (without any), key, ...; two at most.")
@click.option("--bucket", type=click.Choice(BUCKETS), help="Hour by hour, and so on.")
@click.option("--top", type=click.IntRange(0, 100), help="So many groups by cost, the others as one.")
@click.pass_obj
def usage(
    invocation: Invocation,
    /,
    group_by: tuple[str, ...],
    bucket: str | None,
    top: int | None,
    filters: tuple[str, ...],
    **period: str,
) -> None:
    """Show what was used, grouped, or over time."""
    from razvilka_cli.actions.usage import show_usage

    params: dict[str, Any] = {**given_period(**period), **filters_of(filters), "group_by": group_by or ("version",)}
    show_usage(invocation, params if top is None else {**params, "top": top}, bucket or "")


@click.group(cls=Group)
def requests() -> None:
    """The log of requests."""


@requests.command("list")
@period_options
@click.option("--limit", type=click.IntRange(1, 999), default=20, show_default=True, help="So many at most.")
@click.option("--cursor", default="", help="As the page before says.")
@click.pass_obj
def list_requests(invocation: Invocation, /, limit: int, cursor: str, filters: tuple[str, ...], **period: str) -> None:
    """List requests, newest first."""
    from razvilka_cli.actions.usage import show_requests

    params: dict[str, Any] = {**given_period(**period), **filters_of(filters), "limit": limit}
    show_requests(invocation, {**params, "cursor": cursor} if cursor else params)


@requests.command("show")
@click.argument("request_id")
@click.pass_obj
def show(invocation: Invocation, request_id: str) -> None:
    """Explain one request: who answered and why, what it met, what it cost."""
    from razvilka_cli.actions.usage import show_request

    show_request(invocation, request_id)


@click.command(cls=Command)
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="pdf", show_default=True)
@click.option("--report", type=click.Choice(("summary", "requests")), default="summary", show_default=True)
@period_options
@click.option("--lang", type=click.Choice(("ru", "en")), default="ru", show_default=True)
@click.option("--excel", is_flag=True, help="A CSV that a Russian Excel opens by a click.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder; without it: here.")
@click.pass_obj
def report(
    invocation: Invocation,
    /,
    file_format: str,
    report: str,
    lang: str,
    filters: tuple[str, ...],
    excel: bool,
    output: Path | None,
    **period: str,
) -> None:
    """Order a report, wait for it and save it."""
    from razvilka_cli.actions.report import order_of, save_report

    wishes = {"format": file_format, "report": report, "lang": lang, "filters": filters_of(filters)}
    save_report(invocation, order_of(wishes, given_period(**period), excel=excel), output)


@click.command(cls=Command)
@click.option("--format", "file_format", type=click.Choice(("csv", "jsonl")), default="csv", show_default=True)
@period_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Without it: the standard output."
)
@click.pass_obj
def export(
    invocation: Invocation, /, file_format: str, filters: tuple[str, ...], output: Path | None, **period: str
) -> None:
    """Write every request of a period, oldest first, a line each."""
    from razvilka_cli.actions.export import export as write

    write(invocation, {**given_period(**period), **filters_of(filters), "format": file_format}, output)


@click.command(cls=Command)
@click.option("--provider", required=True, help="As the catalogue calls it: yandexgpt, gigachat.")
@click.option("--csv", "statement", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The provider's statement, with the columns date, model and cost_rub.")  # fmt: skip
@click.option("--tz", default="Europe/Moscow", show_default=True, help="IANA time zone of the statement's days.")
@click.pass_context
def reconcile(context: click.Context, provider: str, statement: Path, tz: str) -> None:
    """Compare a provider's statement with what was billed, by day and model.

    The key needs the scopes usage:read and admin.

    The exit status is 1 when a line differs by more than a kopeck.
    """
    from razvilka_cli.actions.reconcile import reconcile as compare

    if compare(context.obj, provider, statement, tz):
        context.exit(Status.DIFFERS)


COMMANDS: Final = (usage, requests, report, export, reconcile)
