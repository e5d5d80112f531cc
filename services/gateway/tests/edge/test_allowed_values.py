"""A field that takes a few values says which, wherever it stands in a body."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from servicekit.errors import InvalidRequest
from services.gateway.edge.reading.allowed_values import allowed_values
from services.gateway.edge.reading.body import BodyLimits
from services.gateway.edge.reading.json_body import decode
from services.gateway.schemas.inference import ChatRequest

LIMITS = BodyLimits(size=10**6, seconds=1, depth=100, elements=10**4)
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Привет"}]}


@pytest.mark.parametrize(
    ("changed", "field", "values"),
    [
        ({"route": "fast"}, "route", "fallback"),
        ({"provider": {"sort": "best"}}, "provider.sort", "latency, price, throughput"),
        ({"messages": [{"role": "bot"}]}, "messages[0].role", "assistant, developer, function, system, tool, user"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "json_object, json_schema, text"),
    ],
)
async def test_a_value_that_is_none_of_a_few_is_told_all_of_them(
    changed: dict[str, Any], field: str, values: str
) -> None:
    """Named by its path, whatever lists and objects it stands in."""
    with pytest.raises(InvalidRequest) as caught:
        await decode(msgspec.json.Decoder(ChatRequest), json.dumps(HELLO | changed).encode(), LIMITS)

    assert caught.value.param == field
    assert f"use one of {values} (field `{field}`)." in caught.value.message


def test_a_field_that_takes_anything_has_no_list() -> None:
    """Nor has one that is not there."""
    assert allowed_values(ChatRequest, "model") == ()
    assert allowed_values(ChatRequest, "messages[0].content") == ()
    assert allowed_values(ChatRequest, "nothing[...].at.all") == ()
    assert allowed_values(dict[str, list[str]], "names[0]") == ()
