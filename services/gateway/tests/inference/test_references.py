"""Items that a body names by their id: what they come to is bounded as a body is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from servicekit.errors import InvalidRequest
from services.gateway.inference.responses.kept import KeptResponse, item_id, new_response_id
from services.gateway.inference.responses.references import MOST_BYTES, References

RESPONSE = new_response_id("01a224af-61b3-7793-8114-e22dfffb19b6")
ITEM = item_id("msg", RESPONSE, 0)


def naming(times: int) -> list[msgspec.Raw]:
    """Return an input that names one item many times."""
    return [msgspec.Raw(json.dumps({"type": "item_reference", "id": ITEM}).encode())] * times


def references(characters: int) -> References:
    """Return what looks up one response with a message of so many characters."""
    item: dict[str, Any] = {"id": ITEM, "type": "message", "content": "x" * characters}

    async def load(response_id: str) -> KeptResponse | None:
        return KeptResponse({"output": [item]}, [], []) if response_id == RESPONSE else None

    return References(load)


async def test_one_long_answer_cannot_be_said_a_thousand_times() -> None:
    """A body of 100 KB became a prompt of 100 MB before anybody asked what it weighs."""
    with pytest.raises(InvalidRequest, match="bytes together") as caught:
        await references(100_000).replaced(naming(1000))

    assert caught.value.param == f"input[{MOST_BYTES // 100_000}]"


async def test_what_fits_into_a_body_may_be_named() -> None:
    """A conversation may be longer than what is sent of it."""
    items = await references(100_000).replaced(naming(50))

    assert sum(map(len, items)) > 50 * 100_000
