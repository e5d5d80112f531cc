"""The gateway's HTTP API, with errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
import httpx

TIMEOUT_S: Final = 60.0


@contextmanager
def open_gateway(connection: tuple[str, str]) -> Iterator[httpx.Client]:
    """Yield a client of the gateway.

    Raises:
        ClickException: there is no key, or nobody answers at the address.
    """
    url, key = connection
    if not key:
        raise click.ClickException("No API key: set RAZVILKA_API_KEY or give --key.")
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S) as client:
            yield client
    except httpx.HTTPError as exc:
        raise click.ClickException(f"{url} cannot be reached: {exc}") from exc


def answer_of(response: httpx.Response) -> Any:
    """Return the body of an answer.

    Raises:
        ClickException: the gateway refused, in its own words.
    """
    check(response)
    return response.json()


def check(response: httpx.Response) -> None:
    """Do nothing when the gateway did what it was asked.

    Raises:
        ClickException: it refused, in its own words.
    """
    if response.is_success:
        return
    response.read()
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = response.text[:200] or response.reason_phrase
    raise click.ClickException(f"{response.status_code}: {message}")
