"""Keys and budgets: list them, make them, change them, end them."""

from __future__ import annotations

import sys
from typing import Any, Final
from urllib.parse import quote

import click

from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import answer_of
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import note, show_json, show_table
from razvilka_cli.session import get, open_gateway

Body = dict[str, Any]
KEYS: Final = "/v1/keys"
BUDGETS: Final = "/v1/budgets"
# More than a number of the gateway holds; Python would not even write it down.
MOST_MICRO_RUB: Final = 2**63
KEY_COLUMNS: Final = ("id", "name", "key", "scopes", "budget", "created_at", "last_used_at", "state")
BUDGET_COLUMNS: Final = (
    "id",
    "of",
    "measure",
    "period",
    "models",
    "mode",
    "limit",
    "used",
    "left",
    "resets_at",
    "state",
)


def list_keys(invocation: Invocation) -> None:
    """Print all keys, page after page."""
    with open_gateway(invocation) as client:
        page, keys = "", []
        while True:
            answer = answer_of(client.get(KEYS, params={"limit": 100, "page": page}))
            keys += answer["data"]
            page = answer["next_page"]
            if not page:
                break
    if invocation.as_json:
        show_json({"data": keys, "next_page": None})
        return
    show_table(KEY_COLUMNS, map(_key_row, keys))


def _key_row(key: Body) -> tuple[Any, ...]:
    budget = key["budget"]
    cap = f"{_roubles(budget['limit_micro_rub'])} ₽ a {budget['period']}" if budget else ""
    state = "revoked" if key["revoked_at"] else "disabled" if key["disabled"] else "in use"
    shown = f"{key['prefix']}…{key['last_four']}"
    return (key["id"], key["name"], shown, key["scopes"], cap, key["created_at"], key["last_used_at"], state)


def _roubles(micro_rub: int) -> str:
    whole, part = divmod(micro_rub, 1_000_000)
    return f"{whole}.{part:06}".rstrip("0").rstrip(".")


def micro_roubles(rub: str) -> int:
    """Return an amount of roubles, a decimal, in millionths.

    Raises:
        UsageError: it is none.
    """
    from decimal import Decimal

    try:
        amount = Decimal(rub.replace(",", ".")) * 1_000_000
        if amount == amount.to_integral_value() and 0 < amount < MOST_MICRO_RUB:
            return int(amount)
    except (ArithmeticError, ValueError):
        pass
    raise click.UsageError(f"{rub} is no amount of roubles: write it like 1500.00")


def make_key(invocation: Invocation, order: Body) -> None:
    """Make a key and print its secret, which is told this once: to the standard output, and nothing else there."""
    with open_gateway(invocation) as client:
        _tell_secret(invocation, answer_of(client.post(KEYS, json=order)))


def rotate_key(invocation: Invocation, key_id: str, overlap_s: int | None) -> None:
    """Make a key like this one, and print its secret."""
    body = {} if overlap_s is None else {"overlap_s": overlap_s}
    with open_gateway(invocation) as client:
        _tell_secret(invocation, answer_of(client.post(f"{KEYS}/{_path(key_id)}/rotate", json=body)))


def _tell_secret(invocation: Invocation, key: Body) -> None:
    if invocation.as_json:
        show_json(key)
        return
    note(f"{key['name']}, id {key['id']}. The key is shown this once:")
    click.echo(key["key"])


def revoke_key(invocation: Invocation, key_id: str, *, sure: bool) -> None:
    """End a key."""
    confirm(f"End the key {key_id} on every gateway?", sure=sure)
    with open_gateway(invocation) as client:
        answer = answer_of(client.delete(f"{KEYS}/{_path(key_id)}"))
    _tell_done(invocation, answer, "revoked")


def list_budgets(invocation: Invocation) -> None:
    """Print everything that caps the account, and how it stands."""
    answer = get(invocation, BUDGETS)
    if invocation.as_json:
        show_json(answer)
        return
    show_table(BUDGET_COLUMNS, map(_budget_row, answer["data"]), right=("limit", "used", "left"))


def _budget_row(budget: Body) -> tuple[Any, ...]:
    owner = budget["owner"] if budget["owner"] == "user" else f"{budget['owner']} {budget['owner_id']}"
    if budget["measure"] == "cost":
        figures = [f"{budget[name]} ₽" if budget[name] is not None else None for name in _OF_COST]
    else:
        figures = [budget[name] for name in ("limit", "used", "remaining")]
    named = budget["id"] if budget["source"] == "set" else f"from the {budget['source']}"
    what = (budget["measure"], budget["period"], budget["models"], budget["mode"])
    return (named, owner, *what, *figures, budget["resets_at"], budget["state"])


_OF_COST: Final = ("limit_rub", "spent_rub", "remaining_rub")


def set_budget(invocation: Invocation, budget_id: str | None, wishes: Body) -> None:
    """Set a new budget or quota, or change one; what was spent stays spent."""
    with open_gateway(invocation) as client:
        if budget_id is None:
            answer = answer_of(client.post(BUDGETS, json=wishes))
        else:
            answer = answer_of(client.patch(f"{BUDGETS}/{_path(budget_id)}", json=wishes))
    if invocation.as_json:
        show_json(answer)
        return
    show_table(BUDGET_COLUMNS, [_budget_row(answer)], right=("limit", "used", "left"))


def delete_budget(invocation: Invocation, budget_id: str, *, sure: bool) -> None:
    """Remove a budget or a quota."""
    confirm(f"Remove the budget {budget_id}?", sure=sure)
    with open_gateway(invocation) as client:
        answer = answer_of(client.delete(f"{BUDGETS}/{_path(budget_id)}"))
    _tell_done(invocation, answer, "removed")


def confirm(question: str, *, sure: bool) -> None:
    """Return when a person says yes, or said so beforehand.

    Raises:
        Failure: they say no, or nobody is there to ask.
    """
    if sure:
        return
    if not sys.stdin.isatty():
        raise Failure("Nobody is there to ask.", Status.USAGE, code="not_confirmed", fix="Say --yes.")
    if not click.confirm(question, err=True):
        raise Failure("Nothing was changed.", Status.DIFFERS, code="not_confirmed")


def _tell_done(invocation: Invocation, answer: Body, what: str) -> None:
    if invocation.as_json:
        show_json(answer)
        return
    click.echo(f"{answer['id']} {what}")


def _path(given: str) -> str:
    return quote(given, safe="")
