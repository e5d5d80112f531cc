"""GigaChat's checks of texts and functions, and its batches."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest_asyncio

from emulator.testing import RunningEmulator, running_emulator

FIRM = "ZmlybTpzZWNyZXQ="
CORP = "GIGACHAT_API_CORP"
PARAMETERS = {"type": "object", "properties": {"camp": {"type": "string"}}}
Post = Callable[..., Awaitable[tuple[int, Any]]]


@pytest_asyncio.fixture
async def firm(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> AsyncIterator[Post]:
    """Return a caller with a pay-as-you-go key: a body is posted, without one the path is read."""
    await emulator.control.add_credential("gigachat", key=FIRM, scope=CORP)
    headers = {"Authorization": f"Bearer {await gigachat_token(FIRM, CORP)}"}

    async def call(path: str, body: Any = None) -> tuple[int, Any]:
        data = body if isinstance(body, str | None) else json.dumps(body)
        verb = "GET" if body is None else "POST"
        async with http.request(verb, f"{emulator.gigachat_url}/v1{path}", data=data, headers=headers) as response:
            text = await response.text()
            return response.status, text if "/content" in path else json.loads(text)

    yield call


async def test_a_text_is_judged_by_both_models(firm: Post) -> None:
    """Classification knows two classes, detection three; short texts are refused."""
    text = "Снег лежит на берегу реки, олени идут к стоянке. " * 4

    status, found = await firm("/ai/check", {"model": "GigaCheckClassification", "input": text})
    short, _ = await firm("/ai/check", {"model": "GigaCheckDetection", "input": "Снег идёт."})
    unknown, _ = await firm("/ai/check", {"model": "GigaChat-2", "input": text})

    assert status == 200
    assert found["category"] in ("ai", "human")
    assert (found["characters"], found["ai_intervals"]) == (len(text), [])
    assert (short, unknown) == (422, 404)


async def test_checks_are_for_firms(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> None:
    """A person's key gets 403, for batches too."""
    headers = {"Authorization": f"Bearer {await gigachat_token()}"}

    statuses = []
    for path in ("ai/check", "batches?method=embedder"):
        async with http.post(f"{emulator.gigachat_url}/v1/{path}", json={"input": "x"}, headers=headers) as response:
            statuses.append(response.status)

    assert statuses == [403, 403]


async def test_the_filter_tells_what_it_would_stop(firm: Post) -> None:
    """A forbidden word does."""
    _, clean = await firm("/filter/check", {"model": "GigaFilter", "input": "Расскажи про реку."})
    _, stopped = await firm("/filter/check", {"model": "GigaFilter", "input": "Это запрещено."})

    assert (clean["is_blocked"], stopped["is_blocked"]) == (False, True)


async def test_a_function_is_valid_with_warnings_or_wrong_with_errors(firm: Post) -> None:
    """Both are HTTP 200; errors hide the warnings."""
    status, plain = await firm("/functions/validate", {"name": "f", "parameters": PARAMETERS})
    _, nameless = await firm("/functions/validate", {"description": "x"})
    _, wrong = await firm("/functions/validate", {"name": "f", "parameters": {"anyOf": []}})

    assert (status, plain["message"]) == (200, "Function is valid")
    assert {"description": "few_shot_examples is missing", "schema_location": "(root)"} in plain["warnings"]
    assert nameless["message"] == "Incorrect function syntax"
    assert [error["description"] for error in nameless["errors"]] == ["name is required", "parameters is required"]
    assert "warnings" not in nameless
    assert wrong["errors"][0]["description"] == "Field 'anyOf' is not supported"


async def test_operations_become_functions(firm: Post) -> None:
    """Parameters of the address and of the body stand side by side."""
    document = """
openapi: 3.0.0
paths:
  /camps/{id}:
    post:
      summary: Перенести стоянку
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      requestBody:
        content:
          application/json:
            schema: {type: object, required: [metres], properties: {metres: {type: integer}}}
"""
    _, found = await firm("/functions/convert", document)
    broken, _ = await firm("/functions/convert", "paths: [")

    [function] = found["functions"]
    assert (function["name"], function["description"]) == ("post_camps", "Перенести стоянку")
    assert set(function["parameters"]["properties"]) == {"id", "metres"}
    assert function["parameters"]["required"] == ["id", "metres"]
    assert broken == 400


async def test_a_batch_is_answered_line_by_line_in_a_file(firm: Post) -> None:
    """One line fails, the others are answered as a call of their own would be."""
    chat = {"model": "GigaChat-2", "messages": [{"role": "user", "content": "привет"}]}
    lines = [{"id": "a", "request": chat}, {"id": "b", "request": {**chat, "temperature": 0}}]

    _, created = await firm("/batches?method=chat_completions", "\n".join(map(json.dumps, lines)))
    _, read = await firm(f"/batches?batch_id={created['id']}")
    [batch] = read["batches"]
    _, text = await firm(f"/files/{batch['output_file_id']}/content")
    first, second = map(json.loads, text.splitlines())

    assert (created["status"], created["output_file_id"]) == ("created", None)
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    assert first["result"]["choices"][0]["message"]["content"]
    assert (second["id"], second["error"]["status"]) == ("b", 422)


async def test_a_batch_embeds_too_and_unknown_ones_are_404(firm: Post) -> None:
    """Vectors have the model's size; a file of other lines is refused."""
    line = {"id": "a", "request": {"model": "Embeddings", "input": ["привет"]}}

    _, created = await firm("/batches?method=embedder", line)
    _, listed = await firm("/batches")
    _, text = await firm(f"/files/{listed['batches'][0]['output_file_id']}/content")
    unknown = await firm("/batches?batch_id=none")
    refused, _ = await firm("/batches?method=embedder", {"id": "a"})

    assert listed["batches"][0]["id"] == created["id"]
    assert len(json.loads(text)["result"]["data"][0]["embedding"]) == 1024
    assert unknown == (404, {"status": 404, "message": "Batch task not found"})
    assert refused == 400


async def test_a_batch_takes_its_time(
    http: aiohttp.ClientSession,
) -> None:
    """Until then it is in progress and has no file."""
    times = [1_000.0]
    async with running_emulator(
        now=lambda: times[0], gigachat_batch_s=60, gigachat_credentials={FIRM: CORP}
    ) as emulator:
        token, _ = emulator.emulator.providers.gigachat.issue(FIRM, CORP)
        headers, url = {"Authorization": f"Bearer {token}"}, f"{emulator.gigachat_url}/v1/batches"
        line = json.dumps({"id": "a", "request": {"model": "Embeddings", "input": "привет"}})
        async with http.post(url, params={"method": "embedder"}, data=line, headers=headers):
            pass
        states = []
        for _ in range(2):
            async with http.get(url, headers=headers) as response:
                states.append((await response.json())["batches"][0]["status"])
            times[0] += 61

    assert states == ["in_progress", "completed"]
