"""What clients of release 1.0 depend on, kept: keys, model ids, headers, error bodies, endpoints."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import Any, Final

import asyncpg
import httpx
import pytest

from tests.integration.rates import FREE_A_MINUTE, returned_since
from tests.integration.waiting import wait_until
from tools.stack.environments import DATABASE
from tools.stack.running_stack import RunningStack

CHAT: Final = "/v1/chat/completions"
PROMPT: Final = "Сколько до реки? [[tokens:12]]"
# Every code of release 1.0 that a caller can meet, and how to meet it, is in the tests below.
ERROR_FIELDS_1_0: Final = ("code", "message", "details")


def client_of(stack: RunningStack, key: str) -> httpx.Client:
    """Return a client with a key of its own."""
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=60)


def chat(http: httpx.Client, **fields: Any) -> httpx.Response:
    """Ask as a 1.0 client does."""
    body = {"model": "gigachat", "messages": [{"role": "user", "content": PROMPT}], **fields}
    return http.post(CHAT, json={name: value for name, value in body.items() if value is not None})


@pytest.mark.parametrize(
    ("asked", "resolved"),
    [
        ("gigachat", "GigaChat-2"),
        ("gigachat-pro", "GigaChat-2-Pro"),
        ("gigachat-max", "GigaChat-2-Max"),
        ("gigachat/pro", "GigaChat-2-Pro"),
        ("gigachat/max", "GigaChat-2-Max"),
        ("gigachat/lite", "GigaChat-2"),
    ],
)
def test_model_ids_of_1_0_answer(http: httpx.Client, asked: str, resolved: str) -> None:
    """Both ways of writing them; the answer carries the id as asked, the header what answered."""
    answer = chat(http, model=asked)

    assert answer.status_code == 200
    assert answer.json()["model"] == asked
    assert answer.headers["x-razvilka-model"] == resolved


def test_prompt_may_stand_in_place_of_messages(http: httpx.Client) -> None:
    """The same answer as the same words in one message."""
    with_messages = chat(http).json()["choices"][0]["message"]
    with_prompt = chat(http, messages=None, prompt=PROMPT).json()["choices"][0]["message"]

    assert with_prompt == with_messages
    assert with_prompt["role"] == "assistant"


def test_rate_limit_headers_are_those_of_1_0(stack: RunningStack) -> None:
    """Limit and remaining count requests; reset is a moment in Unix seconds."""
    with client_of(stack, stack.issue_key(tier="free")) as http:
        began = time.monotonic()
        first, second = chat(http), chat(http)
        returned = returned_since(began)

    assert int(first.headers["X-RateLimit-Limit"]) == FREE_A_MINUTE
    remaining = [int(answer.headers["X-RateLimit-Remaining"]) for answer in (first, second)]
    assert remaining[0] == FREE_A_MINUTE - 1
    assert FREE_A_MINUTE - 2 <= remaining[1] <= min(FREE_A_MINUTE - 2 + returned, FREE_A_MINUTE - 1)
    assert 0 < int(second.headers["X-RateLimit-Reset"]) - time.time() <= 61


def test_the_free_tier_is_that_of_1_0(stack: RunningStack) -> None:
    """20 a minute and what comes back meanwhile, then 429 with the 1.0 code and the seconds to wait."""
    with client_of(stack, stack.issue_key(tier="free")) as http:
        began = time.monotonic()
        answered = 0
        while (refused := chat(http, max_tokens=1)).status_code == 200:
            answered += 1
            assert answered <= FREE_A_MINUTE + returned_since(began)

    assert answered >= FREE_A_MINUTE
    assert_error(refused, 429, "rate_limit_exceeded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert int(refused.headers["X-RateLimit-Remaining"]) == 0


def assert_error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert a 1.0 error body and return the error."""
    assert answer.status_code == status
    error: dict[str, Any] = answer.json()["error"]
    assert set(ERROR_FIELDS_1_0) <= set(error)
    assert error["code"] == code
    assert isinstance(error["message"], str)
    assert isinstance(error["details"], dict)
    return error


def test_errors_have_the_fields_and_codes_of_1_0(http: httpx.Client, stack: RunningStack) -> None:
    """code, message and details, with details an object, whatever went wrong."""
    with httpx.Client(base_url=stack.url, timeout=60) as nobody:
        assert_error(nobody.post(CHAT, json={}), 401, "auth_required")
        assert_error(nobody.post(CHAT, json={}, headers={"authorization": "Bearer wrong"}), 401, "invalid_key")
    assert_error(chat(http, model="gpt-9"), 404, "model_not_found")
    assert_error(chat(http, temperature="hot"), 400, "invalid_parameters")
    assert_error(http.post(CHAT, content=b"{"), 400, "invalid_request")
    assert_error(failing(http, "status code=500"), 502, "provider_error")
    assert_error(failing(http, "rst_before_headers"), 503, "provider_unavailable")
    assert_error(failing(http, "status code=504"), 504, "provider_timeout")


def failing(http: httpx.Client, fault: str) -> httpx.Response:
    """Ask a provider that fails."""
    return chat(http, messages=[{"role": "user", "content": f"{PROMPT} [[fault:{fault}]]"}])


def test_generation_tells_what_an_answer_was(http: httpx.Client) -> None:
    """By the id in the answer, a moment after its end."""
    answer = chat(http).json()

    found = eventually(http, "/v1/generation", id=answer["id"])["data"]

    assert found["id"] == answer["id"]
    assert found["model"] == "gigachat"
    assert found["tokens_prompt"] == answer["usage"]["prompt_tokens"]
    assert found["tokens_completion"] == answer["usage"]["completion_tokens"]
    assert found["total_cost"] == pytest.approx(float(answer["usage"]["cost_rub"]))
    assert {"streamed", "generation_time", "created_at", "provider"} <= set(found)


def eventually(http: httpx.Client, path: str, **query: str) -> Any:
    """Return the body as soon as there is one."""
    answer = wait_until(lambda: http.get(path, params=query), lambda answer: answer.status_code != 404)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_someone_elses_generation_is_not_found(http: httpx.Client, stack: RunningStack) -> None:
    """404, as for one that does not exist."""
    answer_id = chat(http).json()["id"]
    eventually(http, "/v1/generation", id=answer_id)

    with client_of(stack, stack.issue_key()) as other:
        found = other.get("/v1/generation", params={"id": answer_id})

    assert_error(found, 404, "not_found")


def test_auth_key_tells_label_usage_limit_and_rate(stack: RunningStack) -> None:
    """The fields of 1.0, for the key that asks."""
    with client_of(stack, stack.issue_key(tier="free")) as http:
        cost = float(chat(http).json()["usage"]["cost_rub"])
        found = wait_until(lambda: http.get("/v1/auth/key").json()["data"], lambda data: data["usage"] != 0)

    assert found["label"] == "test"
    assert found["usage"] == pytest.approx(cost)
    assert found["limit"] is None
    assert found["is_free_tier"] is True
    assert found["tier"] == "free"
    assert found["rate_limit"]["requests"] == 20
    assert found["rate_limit"]["interval"] == "1m"


@pytest.mark.parametrize("model", ["gigachat-pro", "gigachat/pro", "yandexgpt:latest"])
def test_parameters_of_a_model(http: httpx.Client, model: str) -> None:
    """What it takes, and the medians."""
    found = http.get(f"/v1/parameters/{model}").json()["data"]

    assert {"temperature", "max_tokens", "stream"} <= set(found["supported_parameters"])
    assert found["temperature_p50"] >= 0
    assert {"top_p_p50", "frequency_penalty_p50", "presence_penalty_p50"} <= set(found)


def test_providers_status(http: httpx.Client) -> None:
    """Each provider with a state in one word, its latency and its success rate."""
    chat(http)

    found = {each["provider"]: each for each in http.get("/v1/providers/status").json()["data"]}

    assert {"gigachat", "yandexgpt"} <= set(found)
    for provider in found.values():
        assert provider["status"] in ("operational", "degraded", "down", "unknown")
        assert provider["latency_ms"] >= 0
        assert 0 <= provider["success_rate"] <= 1


def test_models_keep_their_1_0_fields(http: httpx.Client) -> None:
    """Id, name, provider, pricing by token as text, window, architecture."""
    found = {model["id"]: model for model in http.get("/v1/models").json()["data"]}

    for name in ("gigachat", "gigachat-pro", "gigachat-max"):
        model = found[name]
        assert model["provider"] == "gigachat"
        assert model["name"]
        assert float(model["pricing"]["prompt"]) > 0
        assert float(model["pricing"]["completion"]) > 0
        assert model["context_length"] > 0
        assert model["architecture"]["modality"]


def test_a_key_of_1_0_works_and_is_rehashed(stack: RunningStack) -> None:
    """Release 1.0 stored the hex SHA-256 of any string: it still opens, and is stored as a keyed hash from then on."""
    key, user_id, key_id = f"old-{secrets.token_hex(12)}", f"u{secrets.token_hex(6)}", f"k{secrets.token_hex(6)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    asyncio.run(_insert_1_0(stack, user_id, key_id, digest))

    with client_of(stack, key) as http:
        answers = [chat(http), http.get("/v1/auth/key")]
        row = wait_until(lambda: _key_row(stack, key_id), lambda row: row["hash_kind"] != "sha256")
        answers.append(chat(http))

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[1].json()["data"]["label"] == "from 1.0"
    assert row["hash_kind"] == "hmac-sha256"
    assert row["key_hash"] != digest


async def _insert_1_0(stack: RunningStack, user_id: str, key_id: str, digest: str) -> None:
    """Write what the move from 1.0 writes: its columns, nothing else."""
    connection = await asyncpg.connect(stack.parts.admin_dsn(DATABASE))
    try:
        await connection.execute(
            "INSERT INTO auth.users (id, email, created_at, updated_at) VALUES ($1, $2, now(), now())",
            user_id,
            f"{user_id}@example.com",
        )
        await connection.execute(
            "INSERT INTO auth.api_keys (id, user_id, key_hash, name, created_at)"
            " VALUES ($1, $2, $3, 'from 1.0', now())",
            key_id,
            user_id,
            digest,
        )
    finally:
        await connection.close()


def _key_row(stack: RunningStack, key_id: str) -> Any:
    [row] = stack.query("SELECT hash_kind, key_hash FROM auth.api_keys WHERE id = $1", key_id)
    return row
