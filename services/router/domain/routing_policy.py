"""Which models may answer a request, best first."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from servicekit.errors import ErrorReason, PermissionDenied
from services.router.domain.catalog import Candidate, Catalog, Model

MAX_CANDIDATES: Final = 8


def candidates(
    catalog: Catalog,
    asked: Model,
    now: datetime,
    allowed: Collection[str] = frozenset(),
    draw: str = "",
    first: Model | None = None,
    covered: Collection[str] = frozenset(),
) -> Sequence[Model]:
    """Return the asked model, then its fallbacks: higher priority first, and among equals in the catalogue's order.

    A fallback that is unknown, of another kind, switched off or shut down is left out; so is one that would
    ask the provider for the very same model again, or that is not among `allowed` (ids or aliases; empty: all are).
    Equals that have weights take turns: each comes first as often as its weight says.

    Args:
        draw: by what equals with weights are drawn; the same gives the same order.
        first: what answers before the asked model; None: nothing does.
        covered: ids that the money held for the request covers; empty: all are.

    Raises:
        PermissionDenied: the asked model itself is not allowed.
    """
    if not is_allowed(asked, allowed):
        text = f"This credential may not use the model '{asked.id}'."
        raise PermissionDenied(ErrorReason.MODEL_NOT_ALLOWED, text, param="model")
    found = [asked] if first is None else [first, asked]
    if asked.fallbacks:
        known = [(model, each) for each in asked.fallbacks if (model := catalog.find(each.model)) is not None]
        found += [model for model in _in_turn(known, draw) if model.kind == asked.kind]
    if covered:
        found = [model for model in found if model.id in covered]
    return _distinct(found, now, allowed)


def steered(
    catalog: Catalog, names: Iterable[str], kind: str, now: datetime, allowed: Collection[str] = frozenset()
) -> Sequence[Model]:
    """Return the models of these ids that may answer, in the caller's order; none may be left."""
    known = [model for name in names if (model := catalog.find(name)) is not None and model.kind == kind]
    return _distinct(known, now, allowed)


def stand_ins(catalog: Catalog, model: Model) -> list[str]:
    """Return the ids of those that may answer in a model's place, higher priority first; no weights are drawn by."""
    known = [(found, each) for each in model.fallbacks if (found := catalog.find(each.model)) is not None]
    return [found.id for found, _ in sorted(known, key=_priority, reverse=True)]


def _distinct(models: Iterable[Model], now: datetime, allowed: Collection[str]) -> Sequence[Model]:
    chosen: dict[tuple[str, str], Model] = {}
    for model in models:
        if model.is_served(now) and is_allowed(model, allowed):
            chosen.setdefault((model.provider, model.resolved_model), model)
    return list(chosen.values())[:MAX_CANDIDATES]


def _in_turn(known: Sequence[tuple[Model, Candidate]], draw: str) -> list[Model]:
    # sorted() is stable: among equals the order written in the catalogue stays.
    ordered = sorted(known, key=_priority, reverse=True)
    return [model for _, equals in groupby(ordered, key=_priority) for model in _drawn(list(equals), draw)]


def _priority(entry: tuple[Model, Candidate]) -> int:
    model, candidate = entry
    return model.priority if candidate.priority is None else candidate.priority


def _drawn(equals: Sequence[tuple[Model, Candidate]], draw: str) -> list[Model]:
    """Return equals in an order in which each is first as often as its weight says (Efraimidis and Spirakis)."""
    if not any(candidate.weight for _, candidate in equals):
        return [model for model, _ in equals]

    def key(entry: tuple[Model, Candidate]) -> float:
        model, candidate = entry
        return chance(draw, model.id) ** (1 / candidate.weight) if candidate.weight else 0.0

    return [model for model, _ in sorted(equals, key=key, reverse=True)]


def chance(*parts: str) -> float:
    """Return a number in [0, 1) that is the same for the same parts, on every replica."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def is_allowed(model: Model, allowed: Collection[str]) -> bool:
    """Tell whether a credential that is limited to these ids or aliases (empty: it is not) may use the model."""
    return not allowed or model.id in allowed or any(alias in allowed for alias in model.aliases)
