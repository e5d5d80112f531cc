"""GigaChat's assistants and threads: state that is kept between calls."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from emulator.testing import RunningEmulator, running_emulator
from emulator.tests.asking import post, sse

Post = Callable[..., Awaitable[tuple[int, Any]]]
MODEL = "GigaChat-2-Max"
OBJECT = {"type": "object", "properties": {}}
UNTYPED = {"type": "object", "properties": {"camp": {}}}


@pytest.fixture
def clock() -> list[float]:
    """Return the emulator's time, in a list to be changed."""
    return [1_800_000_000.0]


@pytest_asyncio.fixture
async def slow(clock: list[float]) -> AsyncIterator[RunningEmulator]:
    """Return an emulator whose runs take ten seconds of its own clock."""
    async with running_emulator(now=lambda: clock[0], gigachat_run_s=10) as emulator:
        yield emulator


@pytest.fixture
def send(slow: RunningEmulator, http: aiohttp.ClientSession) -> Post:
    """Return a caller of the API; `path` is behind `/v1`."""

    async def call(path: str, body: Any = None, *, stream: bool = False, firm: bool = False) -> tuple[int, Any]:
        access = slow.emulator.providers.gigachat
        token, _ = access.issue("firm" if firm else "person", "GIGACHAT_API_CORP" if firm else "GIGACHAT_API_PERS")
        url, headers = f"{slow.gigachat_url}/v1{path}", {"Authorization": f"Bearer {token}"}
        if body is not None:
            return await post(http, url, body, headers, stream=stream)
        async with http.get(url, headers=headers) as response:
            return response.status, await response.json()

    return call


async def assistant_of(send: Post, **fields: Any) -> str:
    _, made = await send("/assistants", {"model": MODEL, "name": "проводник", **fields})
    return str(made["assistant_id"])


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def test_a_run_locks_its_thread_until_it_is_done(send: Post, clock: list[float]) -> None:
    """Its messages are seen at the end, not before."""
    _, thread = await send("/threads", {})
    await send("/threads/messages", {"thread_id": thread["id"], "messages": [user("привет")]})

    _, begun = await send("/threads/run", {"thread_id": thread["id"]})
    refused, _ = await send("/threads/messages", {"thread_id": thread["id"], "messages": [user("ещё")]})
    twice, _ = await send("/threads/run", {"thread_id": thread["id"]})
    _, early = await send(f"/threads/run?thread_id={thread['id']}")
    _, hidden = await send(f"/threads/messages?thread_id={thread['id']}")
    clock[0] += 10
    _, late = await send(f"/threads/run?thread_id={thread['id']}")

    assert (begun["status"], refused, twice) == ("in_progress", 409, 409)
    assert (early["status"], early["messages"], len(hidden["messages"])) == ("in_progress", [], 1)
    assert (late["status"], [message["role"] for message in late["messages"]]) == ("ready", ["assistant"])


async def test_an_assistant_brings_instructions_and_functions(send: Post) -> None:
    """Both are counted with the prompt; the function can be called."""
    functions = [{"name": "camp_distance", "parameters": OBJECT}]
    assistant_id = await assistant_of(send, instructions="Отвечай кратко, и только о реке.", functions=functions)

    _, plain = await send("/threads/messages/run", {"model": MODEL, "messages": [user("привет")]})
    asked = {"assistant_id": assistant_id, "messages": [user("[[call:camp_distance {}]]")], "function_call": "auto"}
    _, guided = await send("/threads/messages/run", asked)

    assert guided["message"]["function_call"]["name"] == "camp_distance"
    assert guided["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 10


async def test_a_limit_leaves_older_messages_out_of_the_context(send: Post) -> None:
    """The model is sent the last of them only."""
    _, first = await send("/threads/messages/run", {"model": MODEL, "messages": [user("слово " * 40)]})
    thread_id = first["thread_id"]

    asked = {"thread_id": thread_id, "messages": [user("привет")]}
    _, short = await send("/threads/messages/run", {**asked, "limit": 1})
    _, whole = await send("/threads/messages/run", asked)

    assert short["usage"]["prompt_tokens"] < 10 < whole["usage"]["prompt_tokens"]


async def test_a_stream_tells_the_usage_in_every_event(send: Post) -> None:
    """Its text is that of the plain answer."""
    _, plain = await send("/threads/messages/run", {"messages": [user("привет")]})
    _, raw = await send("/threads/messages/run", {"messages": [user("привет")], "stream": True}, stream=True)

    *events, done = sse(raw)
    assert done == "[DONE]"
    deltas = [event["choices"][0]["delta"]["content"] for event in events]
    assert "".join(deltas) == plain["message"]["content"]
    assert all(event["usage"] == plain["usage"] for event in events)


async def test_a_key_does_not_see_what_another_key_keeps(send: Post) -> None:
    """Neither in lists nor by id."""
    assistant_id = await assistant_of(send)
    _, thread = await send("/threads", {})

    _, listed = await send("/threads", firm=True)
    by_id, _ = await send(f"/assistants?assistant_id={assistant_id}", firm=True)
    deleted, _ = await send("/threads/delete", {"thread_id": thread["id"]}, firm=True)

    assert (listed["threads"], by_id, deleted) == ([], 404, 404)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/assistants", {"model": "GigaChat-9", "name": "n"}, 404),
        ("/assistants", {"model": MODEL}, 422),
        ("/assistants", {"model": MODEL, "name": "n", "file_ids": ["none"]}, 404),
        ("/assistants", {"model": MODEL, "name": "n", "metadata": {str(key): 1 for key in range(17)}}, 422),
        ("/assistants", {"model": MODEL, "name": "n", "functions": [{"name": "f", "parameters": UNTYPED}]}, 422),
        ("/assistants/modify", {"assistant_id": "none"}, 404),
        ("/threads/messages", {"messages": [{"role": "function", "content": "{}"}]}, 422),
        ("/threads/messages", {"assistant_id": "none", "messages": []}, 404),
        ("/threads/messages/run", {"messages": []}, 422),
        ("/threads/messages/rerun", {"thread_id": "none"}, 404),
    ],
)
async def test_what_breaks_a_rule_is_refused(send: Post, path: str, body: Any, status: int) -> None:
    """Each with its own status."""
    assert (await send(path, body))[0] == status


async def test_pages_of_threads_and_messages_end_before_a_time(send: Post, clock: list[float]) -> None:
    """The youngest threads come first, the oldest messages too."""
    ids = []
    for _ in range(3):
        ids.append((await send("/threads", {}))[1]["id"])
        clock[0] += 1
    _, page = await send(f"/threads?limit=1&before={int(clock[0]) - 1}")

    assert [thread["id"] for thread in page["threads"]] == [ids[1]]
