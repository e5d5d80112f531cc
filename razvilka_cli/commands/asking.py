"""chat, models, status."""

from __future__ import annotations

import sys
from typing import Final

import click

from razvilka_cli.invocation import Invocation
from razvilka_cli.program import Command


@click.command(cls=Command)
@click.argument("words", nargs=-1, metavar="[QUESTION]...")
@click.option("-m", "--model", envvar="RAZVILKA_MODEL", help="Else: the profile's, or yandexgpt:latest.")
@click.option("-s", "--system", default="", help="What the model is to keep in mind.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The longest answer.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0: the same again; higher: more various.")
@click.pass_obj
def chat(
    invocation: Invocation,
    words: tuple[str, ...],
    model: str | None,
    system: str,
    max_tokens: int | None,
    temperature: float | None,
) -> None:
    """Ask a model; the answer comes as it is made, then what it cost.

    The answer goes to the standard output, all else to the standard error. Without a question it is read from the
    standard input, from a terminal line by line as a conversation; `-` among the words stands for what is piped in.
    """
    from razvilka_cli.actions.chat import converse, question_from

    given = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
    options = {name: value for name, value in given.items() if value is not None}
    converse(invocation, question_from(words, sys.stdin), system, options)


@click.command(cls=Command)
@click.argument("model", required=False)
@click.option("--all", "include_all", is_flag=True, help="Also those that this credential may not use.")
@click.option("--search", default="", help="Only those with this in their id or name.")
@click.pass_obj
def models(invocation: Invocation, model: str | None, include_all: bool, search: str) -> None:
    """List the models with what they cost, or show all about one."""
    from razvilka_cli.actions.models import show_model, show_models

    if model:
        show_model(invocation, model)
    else:
        show_models(invocation, include_all=include_all, pattern=search)


@click.command(cls=Command)
@click.pass_obj
def status(invocation: Invocation) -> None:
    """Show how the providers are; exit status 6 when one is down."""
    from razvilka_cli.actions.models import show_status

    show_status(invocation)


COMMANDS: Final[tuple[click.Command, ...]] = (chat, models, status)
