"""What a gateway of another version kept in a form that this one cannot read: as if it were not there, no failure."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from servicekit.testing.fake_clock import FakeClock
from services.gateway.clients.kept.probe_results import KEY, ProbeResults
from services.gateway.inference.caching import answer_cache
from services.gateway.inference.keeping import kept_answer
from services.gateway.inference.responses import kept
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.cached_calls import ask, asked, status
from services.gateway.tests.inference.idempotent_calls import post

RESPONSES: Final = "/v1/responses"
QUESTION: Final = {"model": "yandexgpt", "input": "Скажи привет"}


def in_another_form(_: object) -> bytes:
    """Write what no version of ours reads, as another one might."""
    return msgspec.msgpack.encode({"form": "of another version"})


async def test_a_cached_answer_in_another_form_is_a_miss(
    edge: Edge, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer that takes its place is found again."""
    with monkeypatch.context() as other:
        other.setattr(answer_cache, "_pack", in_another_form)
        await ask(edge.client)

    answers = [await ask(edge.client) for _ in range(2)]

    assert [(answer.status_code, status(answer)) for answer in answers] == [(200, "miss"), (200, "hit")]
    assert asked(backends) == 2


async def test_a_retry_of_an_answer_in_another_form_is_told_that_it_cannot_be_had(
    edge: Edge, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was billed: to ask anew would bill it twice, and a failure of ours would be tried again and again."""
    monkeypatch.setattr(kept_answer, "_pack", in_another_form)
    first, again = [await post(edge.client) for _ in range(2)]

    assert (first.status_code, again.status_code) == (200, 409)
    assert again.json()["error"]["code"] == "idempotency_replay_unavailable"
    assert again.json()["error"]["details"]["original_request_id"] == first.headers["x-request-id"]
    assert asked(backends) == 1


async def test_a_turn_in_another_form_is_one_that_is_not_kept(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients send the whole conversation then."""
    with monkeypatch.context() as other:
        other.setattr(kept, "shrunk", _badly_shrunk)
        made = (await edge.client.post(RESPONSES, json=QUESTION)).json()

    next_turn: dict[str, Any] = {**QUESTION, "previous_response_id": made["id"]}
    answer = await edge.client.post(RESPONSES, json=next_turn)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert (await edge.client.get(f"{RESPONSES}/{made['id']}")).status_code == 404


async def _badly_shrunk(plain: bytes) -> bytes:
    return b"packed otherwise: " + plain


async def test_a_probe_in_another_form_hides_no_other(redis_client: Any) -> None:
    results = ProbeResults(redis_client, FakeClock(), every_s=60)
    await results.keep("gigachat-pro", "answered", 0.5)
    await redis_client.hset(KEY, "yandexgpt", b'{"seen": "otherwise"}')

    assert list(await results.last()) == ["gigachat-pro"]
