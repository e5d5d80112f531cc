"""keys, budgets."""

from __future__ import annotations

from typing import Any, Final

import click

from razvilka_cli.invocation import Invocation
from razvilka_cli.program import Group

YES: Final = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(cls=Group)
def keys() -> None:
    """API keys."""


@keys.command("list")
@click.pass_obj
def list_keys(invocation: Invocation) -> None:
    """List the keys, newest first, without their secrets."""
    from razvilka_cli.actions.managing import list_keys as show

    show(invocation)


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What it may; else: those of a plain key.")
@click.option("--model", "models", multiple=True, help="A model that it may use; else: all.")
@click.option("--ip", "addresses", multiple=True, help="An address or network that it may be used from; else: all.")
@click.option("--expires", default=None, metavar="MOMENT", help="Its end, as 2027-01-31T00:00:00Z.")
@click.option("--budget-rub", default=None, help="What it may spend in a --budget-period, in roubles.")
@click.option("--budget-period", type=click.Choice(("day", "month", "total")), default="month", show_default=True)
@click.pass_obj
def create(
    invocation: Invocation,
    name: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    addresses: tuple[str, ...],
    expires: str | None,
    budget_rub: str | None,
    budget_period: str,
) -> None:
    """Make a key; the secret alone goes to the standard output."""
    from razvilka_cli.actions.managing import make_key, micro_roubles

    budget = {"limit_micro_rub": micro_roubles(budget_rub), "period": budget_period} if budget_rub else None
    given = {"scopes": scopes, "models": models, "ip_allow_list": addresses, "expires_at": expires, "budget": budget}
    make_key(invocation, {"name": name, **{field: value for field, value in given.items() if value}})


@keys.command("rotate")
@click.argument("key_id")
@click.option(
    "--overlap",
    "overlap_s",
    type=click.IntRange(0, 30 * 86_400),
    help="Seconds that the old one goes on working; else: 3600.",
)
@click.pass_obj
def rotate(invocation: Invocation, key_id: str, overlap_s: int | None) -> None:
    """Make a key like this one, in its place."""
    from razvilka_cli.actions.managing import rotate_key

    rotate_key(invocation, key_id, overlap_s)


@keys.command("revoke")
@click.argument("key_id")
@YES
@click.pass_obj
def revoke(invocation: Invocation, key_id: str, yes: bool) -> None:
    """End a key on every gateway."""
    from razvilka_cli.actions.managing import revoke_key

    revoke_key(invocation, key_id, sure=yes)


@click.group(cls=Group)
def budgets() -> None:
    """Budgets and quotas."""


@budgets.command("list")
@click.pass_obj
def list_budgets(invocation: Invocation) -> None:
    """List everything that caps the account, and how it stands."""
    from razvilka_cli.actions.managing import list_budgets as show

    show(invocation)


@budgets.command("set")
@click.argument("budget_id", required=False)
@click.option("--limit-rub", default=None, help="Of cost: roubles, as 1500.00.")
@click.option("--limit", type=click.IntRange(min=1), help="Of requests and tokens: how many.")
@click.option("--period", type=click.Choice(("minute", "day", "week", "month", "lifetime")), help="Of a new one.")
@click.option("--measure", type=click.Choice(("cost", "requests", "tokens")), help="Of a new one; else: cost.")
@click.option(
    "--mode", type=click.Choice(("hard", "soft", "shadow")), help="Refuse (without any), tell, or only count."
)
@click.option("--models", default=None, help="Of requests and tokens: a model or a pattern, as yandexgpt*.")
@click.option("--owner", type=click.Choice(("user", "key", "app")), help="Whose: the account's (without any), ...")
@click.option("--owner-id", default=None, help="The id of the key, or of the application's grant.")
@click.pass_obj
def set_budget(invocation: Invocation, /, budget_id: str | None, **wishes: Any) -> None:
    """Set a new budget or quota; with an id: change limit or mode of one."""
    from razvilka_cli.actions.managing import set_budget as change

    given = {name: value for name, value in wishes.items() if value is not None}
    fixed = sorted(given.keys() - {"limit", "limit_rub", "mode"})
    if budget_id is not None and fixed:
        raise click.UsageError(f"--{fixed[0].replace('_', '-')} of a budget stays: delete it and set another one")
    if budget_id is None and "period" not in given:
        raise click.UsageError("a new budget needs --period")
    change(invocation, budget_id, given)


@budgets.command("delete")
@click.argument("budget_id")
@YES
@click.pass_obj
def delete(invocation: Invocation, budget_id: str, yes: bool) -> None:
    """Remove a budget or a quota."""
    from razvilka_cli.actions.managing import delete_budget

    delete_budget(invocation, budget_id, sure=yes)


COMMANDS: Final = (keys, budgets)
