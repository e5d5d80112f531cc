"""`razvilka models` and `status`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from razvilka_cli.errors import Failure, Status
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import NOTHING, show_facts, show_json, show_table
from razvilka_cli.session import get

Body = dict[str, Any]


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
