"""An administrator's overrides of the catalogue files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from services.router.domain.canary import rule_of
from services.router.domain.catalog import Canary, Candidate, Model, Price


@dataclass(frozen=True, slots=True)
class Move:
    """From `since` on, a channel points at a model."""

    since: datetime
    model: str


@dataclass(frozen=True, slots=True)
class Overrides:
    """Patches and prices by model id, moves by channel id."""

    patches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prices: Mapping[str, Sequence[Price]] = field(default_factory=dict)
    moves: Mapping[str, Sequence[Move]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ordered:
    """Who ordered something, and when; `by` is "user:<id>"."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PatchOrder:
    """An override of a model; `patch` is None when it was taken back."""

    model: str
    patch: Mapping[str, Any] | None
    ordered: Ordered


@dataclass(frozen=True, slots=True)
class PriceOrder:
    """A price and its source; `ordered` is None when it comes from a catalogue file."""

    price: Price
    source: str
    ordered: Ordered | None


class BadPatch(ValueError):
    """A patch names an unknown field or a value of the wrong type."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadPatch("must be text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadPatch("must be true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadPatch("must be a whole number")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadPatch("must be a list of texts")
    return tuple(map(_text, value))


def _timestamp(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        timestamp = datetime.fromisoformat(_text(value))
    except ValueError as exc:
        raise BadPatch("must be a date") from exc
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)


def _candidates(value: object) -> tuple[Candidate, ...]:
    if not isinstance(value, list):
        raise BadPatch("must be a list of models")
    return tuple(map(_candidate, value))


def _candidate(value: object) -> Candidate:
    if isinstance(value, str):
        return Candidate(value)
    if not isinstance(value, dict) or not value.keys() <= {"model", "priority", "weight"}:
        raise BadPatch("must be names, or objects of model, priority and weight")
    return Candidate(_text(value.get("model")), _priority(value.get("priority")), _weight(value.get("weight", 0)))


def _priority(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise BadPatch("priority must be a whole number")
    return value


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise BadPatch("weight must be a number, 0 or more")
    return float(value)


def _canary(value: object) -> Canary | None:
    try:
        return rule_of(value)
    except ValueError as exc:
        raise BadPatch(str(exc)) from exc


def _features(value: object) -> frozenset[str]:
    return frozenset(_texts(value))


# Name in the patch -> field of Model and how its value is read.
FIELDS: Final[dict[str, tuple[str, Any]]] = {
    "uri": ("resolved_model", _text),
    "name": ("name", _text),
    "description": ("description", _text),
    "enabled": ("enabled", _flag),
    "context_length": ("context_length", _count),
    "max_output_tokens": ("max_output_tokens", _count),
    "priority": ("priority", lambda value: value if isinstance(value, int) else _count(value)),
    "features": ("features", _features),
    "supported_parameters": ("supported_parameters", _texts),
    "fallbacks": ("fallbacks", _candidates),
    "canary": ("canary", _canary),
    "successor": ("successor", _text),
    "deprecated_at": ("deprecated_at", _timestamp),
    "shutdown_at": ("shutdown_at", _timestamp),
    "on_disconnect": ("on_disconnect", _text),
}


def patched(model: Model, patch: Mapping[str, Any]) -> Model:
    """Return the model with the patch's fields.

    Raises:
        BadPatch: an unknown field, or a value of the wrong type.
    """
    changes: dict[str, Any] = {}
    for name, value in patch.items():
        if name not in FIELDS:
            raise BadPatch(f"{name}: unknown field")
        field_name, read = FIELDS[name]
        try:
            changes[field_name] = read(value)
        except BadPatch as exc:
            raise BadPatch(f"{name}: {exc}") from exc
    return replace(model, **changes)


def with_prices(model: Model, prices: Sequence[Price]) -> Model:
    """Return the model with further prices; one of the same time replaces the file's."""
    by_date = {price.valid_from: price for price in (*model.prices, *prices)}
    return replace(model, prices=tuple(by_date[date] for date in sorted(by_date)))
