"""The commands and their options."""

from __future__ import annotations

from pathlib import Path

import click

FORMATS = ("csv", "json", "jsonl", "xlsx", "pdf", "parquet")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "RAZVILKA"})
@click.option("--url", envvar="RAZVILKA_URL", default="http://127.0.0.1:8080", show_default=True, help="The gateway.")
@click.option("--key", envvar="RAZVILKA_API_KEY", default="", help="An API key, better as RAZVILKA_API_KEY.")
@click.pass_context
def main(context: click.Context, url: str, key: str) -> None:
    """What a user may do at a Razvilka gateway."""
    context.obj = (url, key)


@main.command()
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="pdf", show_default=True)
@click.option("--report", type=click.Choice(("summary", "requests")), default="summary", show_default=True)
@click.option("--period", default="", help="today, 7d, 30d (without any), month or all.")
@click.option("--from", "since", default="", help="Instead of a period: a date or a moment.")
@click.option("--to", "until", default="", help="The end, itself excluded; without it: now.")
@click.option("--tz", default="", help="IANA time zone; without it: the account's.")
@click.option("--lang", type=click.Choice(("ru", "en")), default="ru", show_default=True)
@click.option("--filter", "filters", multiple=True, metavar="NAME=VALUE", help="model=yandexgpt; more than one counts.")
@click.option("--excel", is_flag=True, help="A CSV that a Russian Excel opens by a click.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder; without it: here.")
@click.pass_obj
def report(
    connection: tuple[str, str],
    file_format: str,
    report: str,
    period: str,
    since: str,
    until: str,
    tz: str,
    lang: str,
    filters: tuple[str, ...],
    excel: bool,
    output: Path | None,
) -> None:
    """Order a report, wait for it and save it."""
    from razvilka_cli.report import filters_of, order_of, save_report

    given = {"period": period, "from": since, "to": until, "tz": tz}
    wishes = {"format": file_format, "report": report, "lang": lang, "filters": filters_of(filters)}
    save_report(connection, order_of(wishes, given, excel=excel), output)


@main.command()
@click.option("--period", default="", help="today, 7d, 30d (without any), month or all.")
@click.option("--from", "since", default="", help="Instead of a period: a date or a moment.")
@click.option("--to", "until", default="", help="The end, itself excluded; without it: now.")
@click.option("--tz", default="", help="IANA time zone; without it: the account's.")
@click.option("--group-by", default="version", show_default=True, help="provider, model, version, key, app, ...")
@click.option("--json", "as_json", is_flag=True, help="The gateway's answer as it is.")
@click.pass_obj
def usage(
    connection: tuple[str, str], period: str, since: str, until: str, tz: str, group_by: str, as_json: bool
) -> None:
    """Show what was used, grouped."""
    from razvilka_cli.usage import show_usage

    params = {"period": period, "from": since, "to": until, "tz": tz, "group_by": group_by}
    show_usage(connection, {name: value for name, value in params.items() if value}, as_json=as_json)


@main.command()
@click.option("--provider", required=True, help="As the catalogue calls it: yandexgpt, gigachat.")
@click.option("--csv", "statement", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The provider's statement, with the columns date, model and cost_rub.")  # fmt: skip
@click.option("--tz", default="Europe/Moscow", show_default=True, help="IANA time zone of the statement's days.")
@click.pass_obj
def reconcile(connection: tuple[str, str], provider: str, statement: Path, tz: str) -> None:
    """Compare a provider's statement with what was billed, by day and model.

    The key needs the scopes usage:read and admin.

    The exit status is 1 when a line differs by more than a kopeck.
    """
    from razvilka_cli.reconcile import reconcile as compare

    if compare(connection, provider, statement, tz):
        raise SystemExit(1)
