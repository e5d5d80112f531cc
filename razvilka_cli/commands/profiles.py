"""profiles: gateways by name."""

from __future__ import annotations

import click

from razvilka_cli.invocation import Invocation
from razvilka_cli.program import Group


@click.group(cls=Group)
def profiles() -> None:
    """Gateways by name, in a file of yours."""


@profiles.command("list")
@click.pass_obj
def list_profiles(invocation: Invocation) -> None:
    """List the profiles."""
    from razvilka_cli.actions.profiles import show_profiles

    show_profiles(invocation)


@profiles.command("set")
@click.argument("name")
@click.option("--url", help="Its gateway.")
@click.option("--model", help="What `chat` asks there.")
@click.option("--client-id", help="The OAuth client that people log in by there.")
@click.option("--default", "is_default", is_flag=True, help="Mean it when no profile is named.")
@click.pass_obj
def set_profile(
    invocation: Invocation, name: str, url: str | None, model: str | None, client_id: str | None, is_default: bool
) -> None:
    """Make or change a profile."""
    from razvilka_cli.actions.profiles import set_profile as change

    given = {"url": url, "model": model, "client_id": client_id}
    wishes = {field: value for field, value in given.items() if value is not None}
    change(invocation, name, wishes, is_default=is_default)


@profiles.command("delete")
@click.argument("name")
@click.pass_obj
def delete(invocation: Invocation, name: str) -> None:
    """Forget a profile. A login at its gateway stays: see `razvilka logout`."""
    from razvilka_cli.actions.profiles import delete_profile

    delete_profile(invocation, name)
