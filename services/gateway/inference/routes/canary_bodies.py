"""The two sides of each canary beside each other: what callers of `/v1/providers/status` compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from services.gateway.clients.completion import CanarySide
from services.gateway.edge.money import roubles


class CanarySideBody(BaseModel):
    """One side of a canary: sums of answers and failures, and averages of an answer."""

    side: str
    resolved_model: str
    answers: int
    failures: int
    success_rate: float | None
    first_content_ms: int | None
    tokens_output: int | None
    cost_rub: str | None


class CanaryBody(BaseModel):
    """A model of whose callers some are answered by another version."""

    model: str
    sides: list[CanarySideBody]


def compared(sides: Iterable[CanarySide]) -> list[dict[str, Any]]:
    """Return each channel that has a canary, with its sides; averages are null where nothing was answered."""
    ordered = sorted(sides, key=lambda side: (side.channel, side.side, side.resolved_model))
    return [_channel(name, list(of_channel)) for name, of_channel in groupby(ordered, key=lambda side: side.channel)]


def _channel(name: str, sides: Sequence[CanarySide]) -> dict[str, Any]:
    return {"model": name, "sides": [_side(side) for side in sides]}


def _side(side: CanarySide) -> dict[str, Any]:
    tries = side.answers + side.failures
    return {
        "side": side.side,
        "resolved_model": side.resolved_model,
        "answers": side.answers,
        "failures": side.failures,
        "success_rate": round(side.answers / tries, 4) if tries else None,
        "first_content_ms": _each(side.first_content_s * 1000, side.answers),
        "tokens_output": _each(side.tokens_output, side.answers),
        "cost_rub": roubles(side.cost_micro_rub // side.answers) if side.answers else None,
    }


def _each(total: float, answers: int) -> int | None:
    return round(total / answers) if answers else None
