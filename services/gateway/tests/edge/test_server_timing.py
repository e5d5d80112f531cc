"""Server-Timing: where the time of a request went."""

from __future__ import annotations

import re

import pytest

from servicekit.errors import ErrorReason, ProviderFailed
from services.gateway.edge.server_timing import Timing
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH

PAID = re.compile(r"gateway;dur=\d+\.\d, queue;dur=\d+\.\d, provider;dur=(\d+\.\d)")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_paid_answer_says_how_long_the_provider_took(edge: Edge, stream: bool) -> None:
    """Until the answer, or the first words of it; with us and waiting apart."""
    answer = await edge.client.post(PATH, json={**HELLO, "stream": stream})

    found = PAID.fullmatch(answer.headers["server-timing"])
    assert found
    assert float(found[1]) > 0


async def test_a_wait_for_a_slot_is_no_time_of_the_provider(edge: Edge, backends: Backends) -> None:
    """The router says how much of its answer's time was in line; more than there was cannot have been."""
    backends.router.queued_ms = 3_600_000

    answer = await edge.client.post(PATH, json=HELLO)
    told = (await edge.client.get(f"/v1/requests/{answer.headers['x-request-id']}")).json()

    found = PAID.fullmatch(answer.headers["server-timing"])
    assert found
    assert float(found[1]) == 0
    assert told["timing"]["queue_ms"] > 0


async def test_a_failed_answer_says_it_too(edge: Edge, backends: Backends) -> None:
    """A slow failure is the provider's, not ours."""
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_TIMEOUT, "The provider is too slow.")

    answer = await edge.client.post(PATH, json=HELLO)

    assert answer.status_code == 504
    assert PAID.fullmatch(answer.headers["server-timing"])


async def test_an_answer_without_a_provider_names_only_us(edge: Edge) -> None:
    """Lists and settings."""
    answer = await edge.client.get("/v1/models")

    assert re.fullmatch(r"gateway;dur=\d+\.\d", answer.headers["server-timing"])


async def test_who_is_not_known_learns_no_timing(edge: Edge) -> None:
    """How long a credential was looked at is nobody's business."""
    answer = await edge.client.get("/v1/models", headers={"authorization": "Bearer rz_live_nobody"})

    assert answer.status_code == 401
    assert "server-timing" not in answer.headers


def test_the_parts_make_up_the_whole() -> None:
    """What is neither waited for nor the provider's is ours."""
    timing = Timing()
    timing.queue_s = 0.25

    assert timing.of(1.0) == (750.0, 250.0, 0.0)
