"""The options of everything that is about a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

Decorated = Callable[..., Any]


def period_options(function: Decorated) -> Decorated:
    """Add --period, --from, --to, --tz and --filter."""
    options = (
        click.option("--period", default="", help="today, 7d, 30d (without any), 90d, month or all."),
        click.option("--from", "since", default="", help="Instead of a period: a date or a moment."),
        click.option("--to", "until", default="", help="The end, itself excluded; without it: now."),
        click.option("--tz", default="", help="IANA time zone; without it: the account's."),
        click.option(
            "--filter", "filters", multiple=True, metavar="NAME=VALUE", help="model=yandexgpt; more than one counts."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def given_period(period: str, since: str, until: str, tz: str) -> dict[str, str]:
    """Return what was given of a period, by the API's names."""
    given = {"period": period, "from": since, "to": until, "tz": tz}
    return {name: value for name, value in given.items() if value}


def filters_of(given: Iterable[str]) -> dict[str, list[str]]:
    """Return filters by name.

    Raises:
        UsageError: one has no `=`.
    """
    filters: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--filter {each}: must be NAME=VALUE, as model=yandexgpt")
        filters.setdefault(name, []).append(value)
    return filters
