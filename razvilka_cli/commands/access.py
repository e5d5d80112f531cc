"""login, logout, whoami, completion."""

from __future__ import annotations

import sys
from typing import Final

import click

from razvilka_cli.invocation import Invocation
from razvilka_cli.program import Command


@click.command(cls=Command)
@click.option("--scope", "scopes", multiple=True, help="Only this one, or these. Else: all but admin.")
@click.option("--browser", is_flag=True, help="Open the address in a browser on this machine.")
@click.option("--with-key", is_flag=True, help="Keep an API key from the standard input instead.")
@click.pass_obj
def login(invocation: Invocation, scopes: tuple[str, ...], browser: bool, with_key: bool) -> None:
    """Log in at a gateway: a browser, on any machine, lets this one in.

    With --url and a new --profile NAME the gateway gets that name.
    """
    from razvilka_cli.actions.access import keep_key, start_login

    if with_key:
        keep_key(invocation, sys.stdin)
    else:
        start_login(invocation, scopes, browser=browser)


@click.command(cls=Command)
@click.pass_obj
def logout(invocation: Invocation) -> None:
    """End the login, here and at the gateway."""
    from razvilka_cli.actions.access import end_login

    end_login(invocation)


@click.command(cls=Command)
@click.pass_obj
def whoami(invocation: Invocation) -> None:
    """Show who asks, and what they may."""
    from razvilka_cli.actions.access import show_who

    show_who(invocation)


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    bash, zsh: eval "$(razvilka completion bash)"; fish: razvilka completion fish | source
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "razvilka", "_RAZVILKA_COMPLETE").source())


COMMANDS: Final[tuple[click.Command, ...]] = (login, logout, whoami, completion)
