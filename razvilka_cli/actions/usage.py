"""`razvilka usage` and `requests`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from razvilka_cli.invocation import Invocation
from razvilka_cli.output import show_facts, show_json, show_table
from razvilka_cli.session import get

Body = dict[str, Any]
# What a table shows of each group.
FIGURES: Final = ("requests", "errors", "tokens_input", "tokens_output", "cost_rub")
LOG: Final = ("id", "created_at", "version", "status", "tokens_input", "tokens_output", "cost_rub", "latency_ms")
# What is explained of a request in tables of its own.
PARTED: Final = ("attempts", "limits", "budgets", "price", "timing")


def show_usage(invocation: Invocation, params: Mapping[str, Any], bucket: str) -> None:
    """Print the figures of a period by group, or by hour, day, week or month, with their total."""
    given = {**params, "bucket": bucket} if bucket else params
    answer = get(invocation, f"/v1/usage/{'timeseries' if bucket else 'summary'}", given)
    if invocation.as_json:
        show_json(answer)
        return
    period = answer["period"]
    title = f"{period['from']} – {period['to']}, {period['time_zone']}"
    heads = (*(("since",) if bucket else ()), "group")
    rows = [(*_name(row, bucket), *_figures(row)) for row in answer["data"]]
    total = ("total", *("" for _ in heads[1:]), *_figures(answer["total"]))
    show_table((*heads, *FIGURES), [*rows, total], title=title, right=FIGURES)


def _figures(row: Body) -> list[Any]:
    return [row[name] for name in FIGURES]


def _name(row: Body, bucket: str) -> tuple[str, ...]:
    group = "other" if row["is_other"] else " / ".join((row["group"] or {}).values())
    return (row["starts_at"], group) if bucket else (group,)


def show_requests(invocation: Invocation, params: Mapping[str, Any]) -> None:
    """Print a page of the log, newest first."""
    answer = get(invocation, "/v1/usage/requests", params)
    if invocation.as_json:
        show_json(answer)
        return
    show_table(LOG, ([row[name] for name in LOG] for row in answer["data"]), right=LOG[4:])
    if answer["has_more"]:
        show_facts([("more", f"--cursor {answer['next_cursor']}")])


def show_request(invocation: Invocation, request_id: str) -> None:
    """Explain one request: who answered and why, what it met, what it cost."""
    from urllib.parse import quote

    request = get(invocation, f"/v1/requests/{quote(request_id, safe='')}")
    if invocation.as_json:
        show_json(request)
        return
    show_facts((name, value) for name, value in request.items() if name not in PARTED)
    _show_parts("attempts", request["attempts"])
    _show_parts("limits", request["limits"])
    _show_parts("budgets", request["budgets"])
    _show_parts("time", [request["timing"]] if request["timing"] else None)
    price = request["price"] or {}
    _show_parts("price", [{"part": name, **price[name]} for name in ("input", "cached", "output") if name in price])


def _show_parts(title: str, parts: list[Body] | None) -> None:
    if parts:
        columns = tuple(parts[0])
        show_table(columns, (list(each.values()) for each in parts), title=title)
