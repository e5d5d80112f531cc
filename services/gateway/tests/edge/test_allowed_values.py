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


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A body that takes no other fields."""

    name: str = ""


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


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"response_format": {"type": " - at `$" + "[" * 5000}}, "response_format.type"),
        ({"messages": [{"role": " - at `$.model`" * 5000}]}, "messages[0].role"),
        ({"provider": {"sort": "x" * 100_000}}, "provider.sort"),
    ],
)
async def test_a_wrong_value_is_told_back_in_short_and_is_never_read_as_a_path(
    changed: dict[str, Any], field: str
) -> None:
    """Brackets in one were searched again from each of them: 40 KB held up the gateway for 2 s, 10 MB for a day."""
    with pytest.raises(InvalidRequest) as caught:
        await decode(msgspec.json.Decoder(ChatRequest), json.dumps(HELLO | changed).encode(), LIMITS)

    assert caught.value.param == field
    assert len(caught.value.message) < 500
    assert "use one of" in caught.value.message


def test_brackets_that_do_not_close_are_no_steps() -> None:
    """Each is looked at once."""
    assert allowed_values(ChatRequest, "[" * 100_000) == ()


async def test_a_long_name_that_looks_like_a_path_is_none() -> None:
    """A field of the caller's making is told back, but not at any length."""
    with pytest.raises(InvalidRequest) as caught:
        await decode(msgspec.json.Decoder(Strict), json.dumps({"a - at `$" + "[" * 5000: 1}).encode(), LIMITS)

    assert len(caught.value.message) < 500
    assert len(caught.value.param or "") < 100
