"""How large schemas become where references are written out: each is measured once, whoever refers to it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.gateway.inference.size import written_out
from services.gateway.inference.size.text_size import TextSize, size_of
from services.gateway.inference.size.written_out import Schemas


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of JSON that are measured, of each measurement."""
    sizes: list[int] = []

    def counting(text: bytes) -> TextSize:
        sizes.append(len(text))
        return size_of(text)

    monkeypatch.setattr(written_out, "size_of", counting)
    return sizes


def test_what_many_references_lead_to_is_measured_once(measured: list[int]) -> None:
    """A megabyte of description and 5,000 references to it held up the gateway for a quarter of a minute."""
    described = {"type": "string", "description": "x" * 10_000}
    fields = {f"field_{number}": {"$ref": "#/$defs/Text"} for number in range(1000)}
    bound = Schemas([{"type": "object", "$defs": {"Text": described}, "properties": fields}]).bound
    assert bound > 1000 * 10_000
    assert sum(measured) < 500_000


def test_unions_in_unions_are_not_measured_at_each_level(measured: list[int]) -> None:
    """The note that stands for a union quotes its beginning: no more of it counts."""
    nested: dict[str, Any] = {"type": "string", "description": "x" * 100_000}
    for _ in range(25):
        nested = {"anyOf": [nested]}
    assert Schemas([nested]).bound > 100_000
    assert sum(measured) < 1_000_000


@pytest.mark.parametrize(
    "value", [{}, [], {"a": [1, {"б": None}], "c": "日本"}, [[], {}, 'x"y', True, -1.5], "text", {"a": {"b": {}}}]
)
def test_a_short_value_has_all_its_tokens(value: Any) -> None:
    """Short of the bound the count is what it was: holds of requests that were made before stay the same."""
    whole = size_of(msgspec.json.encode(value)).token_bound
    assert written_out.first_tokens(value, 10_000) == whole
    assert written_out.first_tokens([value] * 50, 20) >= 20
