"""Usage rows: money as it was paid, under the id that clients know or can be told."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from migrate.fates.fate import Moved, Quarantined
from migrate.fates.records import Request
from migrate.fates.requests import Names, request_fate
from migrate.rules.identifiers import mapped
from migrate.rules.times import Reading
from migrate.rules.verdict import Text

READING = Reading(None, datetime(2026, 11, 29, tzinfo=UTC))
NAMES = Names({"gigachat": "gigachat"}, {"gigachat": "gigachat-2:latest"})
ID = "0e9f3c3e-2c2f-4c5e-9a7e-9b1d2f3a4b5c"


def row(**changes: Any) -> dict[str, Any]:
    """Return a row of usage."""
    honest = {
        "id": Text(ID.encode()), "user_id": Text(b"u"), "provider": Text(b"gigachat"), "model": Text(b"GigaChat"),
        "tokens_input": 10, "tokens_output": 20, "cost": 0.0015, "created_at": Text(b"2025-03-04 12:00:00"),
    }  # fmt: skip
    return {**honest, **changes}


def test_a_row_keeps_its_cost_and_its_model_s_old_name() -> None:
    found = request_fate(row(trace=Text(b"t")), READING, NAMES)

    when = datetime(2025, 3, 4, 12, tzinfo=UTC)
    assert found == Moved(
        Request(uuid.UUID(ID), "u", "gigachat", "gigachat-2:latest", "GigaChat", 10, 20, 1_500, when, {"trace": b"t"})
    )


def test_every_repair_of_a_row_is_told() -> None:
    found = request_fate(
        row(id=Text(b"gen-1"), tokens_input=Text(b"10"), cost=0.1 + 0.2, provider=None), READING, NAMES
    )

    assert isinstance(found, Moved)
    assert {repair.field: (repair.old, repair.new, repair.rule) for repair in found.repairs} == {
        "id": (b"gen-1", mapped("usage", b"gen-1"), "id_mapped"),
        "provider": (None, "gigachat", "provider_was_always_gigachat"),
        "tokens_input": (b"10", 10, "digits_in_text"),
        "cost": (0.1 + 0.2, 300_000, "binary_noise"),
    }


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("created_at", None, "time_missing"),
        ("id", None, "id_missing"),
        ("user_id", None, "id_missing"),
        ("tokens_input", 12.5, "tokens_not_a_whole_number"),
        ("tokens_output", -1, "tokens_negative"),
        ("cost", -0.5, "cost_negative"),
        ("model", Text(b""), "model_missing"),
    ],
)
def test_a_field_that_says_too_little_quarantines_the_row(field: str, value: Any, reason: str) -> None:
    assert request_fate(row(**{field: value}), READING, NAMES) == Quarantined(reason, field)
