"""What a request tells of itself afterwards: in its row, and to whoever asks for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import ErrorReason, ProviderFailed
from services.gateway.clients.completion import Route
from services.gateway.inference.explanation import attempts_of, dropped_names, stored_names
from services.gateway.metering.storable import MAX_TEXT
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH

TRIED = [
    {"provider": "yandexgpt", "model": "yandexgpt:latest", "reason": "PROVIDER_RATE_LIMITED", "latency_ms": 7},
    {"provider": "yandexgpt", "model": "yandexgpt-5.1", "reason": "PROVIDER_TIMEOUT", "latency_ms": 60000},
]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_left_out_stands_in_the_row_and_in_the_explanation(
    edge: Edge, backends: Backends, stream: bool
) -> None:
    """Few read the header: whoever looks at the request later sees it, with what a clamped value became."""
    backends.router.dropped = ["seed", "temperature=1"]

    answer = await edge.client.post(PATH, json={**HELLO, "seed": 1, "temprature": 1, "stream": stream})
    row = await backends.usage.row()
    told = (await edge.client.get(f"/v1/requests/{row.request_id}")).json()

    assert answer.headers["x-razvilka-dropped-params"] == "seed, temperature=1, temprature"
    assert row.dropped_params == "seed, temperature=1, temprature"
    assert told["dropped_params"] == ["seed", "temperature=1", "temprature"]


@pytest.mark.parametrize(("stream", "fail_at"), [(False, 0), (True, 0), (True, 2)], ids=["plain", "stream", "midway"])
async def test_a_failed_request_tells_what_was_tried(
    edge: Edge, backends: Backends, stream: bool, fail_at: int
) -> None:
    """Each attempt with its reason: what the caller was told, and what stands in the row, are the same."""
    backends.router.failure = ProviderFailed(
        ErrorReason.PROVIDER_TIMEOUT, "The provider is too slow.", details={"attempts": json.dumps(TRIED)}
    )
    backends.router.fail_at = fail_at

    await edge.client.post(PATH, json={**HELLO, "stream": stream})
    row = await backends.usage.row()
    told = (await edge.client.get(f"/v1/requests/{row.request_id}")).json()

    assert told["status"] == "failed"
    assert told["attempts"] == TRIED


@pytest.mark.parametrize("said", ["", "nonsense", "[1]", '[{"provider":"p"}]'])
def test_an_error_that_does_not_say_what_was_tried_tells_nothing(said: str) -> None:
    """A router of another version, or none that was reached."""
    assert attempts_of(ProviderFailed(ErrorReason.PROVIDER_ERROR, "", details={"attempts": said})) == ()


@given(st.lists(st.text(st.characters(exclude_characters=","), min_size=1, max_size=300), max_size=30))
def test_stored_names_are_whole_and_fit(names: list[str]) -> None:
    """A cut name would be another name."""
    stored = stored_names(names)

    assert len(stored) <= MAX_TEXT
    kept = stored.split(", ") if stored else []
    assert kept == names or (kept[-1] == "..." and kept[:-1] == names[: len(kept) - 1])


def test_a_name_that_router_and_edge_both_leave_out_is_named_once() -> None:
    """The edge leaves a tool out, and the router what hangs on it."""
    assert dropped_names(Route(dropped_params=("tool_choice", "seed")), ["tool_choice"]) == ["tool_choice", "seed"]
