"""What is there and what was used: models, providers, usage, requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import answer_of
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import NOTHING, show_facts, show_json, show_table
from razvilka_cli.session import open_gateway

Body = dict[str, Any]
# What a table shows of each group.
FIGURES: Final = ("requests", "errors", "tokens_input", "tokens_output", "cost_rub")
LOG: Final = ("id", "created_at", "version", "status", "tokens_input", "tokens_output", "cost_rub", "latency_ms")
# What is explained of a request in tables of its own.
PARTED: Final = ("attempts", "limits", "budgets", "price", "timing")


def get(invocation: Invocation, path: str, params: Mapping[str, Any] | None = None) -> Any:
    """Return what the gateway answers.

    Raises:
        Failure: it refused.
    """
    with open_gateway(invocation) as client:
        return answer_of(client.get(path, params=params))


def show_models(invocation: Invocation, *, include_all: bool, pattern: str) -> None:
    """List the models, cheapest things first to see: id, provider, what fits, what 1,000 tokens cost."""
    answer = get(invocation, "/v1/models", {"all": "true"} if include_all else None)
    found = [each for each in answer["data"] if pattern.lower() in f"{each['id']} {each['name']}".lower()]
    if invocation.as_json:
        show_json({**answer, "data": found})
        return
    columns = ("id", "provider", "resolves to", "context", "in, ₽/1k", "out, ₽/1k", "status")
    show_table(columns, map(_model_row, found), right=columns[3:6])


def _model_row(model: Body) -> tuple[Any, ...]:
    price = model["pricing"] or {}
    prices = (_per_thousand(price.get("prompt")), _per_thousand(price.get("completion")))
    status = model["lifecycle"]["status"] if model["allowed"] else "not allowed"
    return (model["id"], model["provider"], model["resolved_model"], model["context_length"], *prices, status)


def _per_thousand(rub: str | None) -> str:
    from decimal import Decimal

    return NOTHING if rub is None else f"{(Decimal(rub) * 1000).normalize():f}"


def show_model(invocation: Invocation, model_id: str) -> None:
    """Print all that is known of a model."""
    from urllib.parse import quote

    model = get(invocation, f"/v1/models/{quote(model_id, safe='')}", {"all": "true"})
    if invocation.as_json:
        show_json(model)
        return
    show_facts((name, value) for name, value in model.items())


def show_status(invocation: Invocation) -> None:
    """Print how the providers and their models are.

    Raises:
        Failure: one is down.
    """
    answer = get(invocation, "/v1/providers/status")
    if invocation.as_json:
        show_json(answer)
    else:
        columns = ("provider", "model", "status", "calls", "success", "p50, ms", "p95, ms", "first words p50, ms")
        show_table(columns, _status_rows(answer["data"]), right=columns[3:])
    down = [each["provider"] for each in answer["data"] if each["status"] == "down"]
    if down:
        raise Failure(f"Down: {', '.join(down)}.", Status.SERVER, code="provider_down")


def _status_rows(providers: Iterable[Body]) -> Iterable[tuple[Any, ...]]:
    for provider in providers:
        for model in provider["models"]:
            known = model["status"] != "unknown"
            times = (model["latency_p50_ms"], model["latency_p95_ms"], model["first_token_p50_ms"])
            figures = (f"{model['success_rate']:.1%}", *times) if known else (None, None, None, None)
            yield (provider["provider"], model["model"], model["status"], model["calls"], *figures)


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
