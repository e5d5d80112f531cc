"""What every program tries, and how it says what came of it. Runs in the environment of a library."""

import asyncio
import contextlib
import inspect
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

BASE_URL = os.environ.get("RAZVILKA_URL", "") + "/v1"
KEY = os.environ.get("RAZVILKA_API_KEY", "")
# Of a free account: 20 requests a minute, 5 at once.
SMALL_KEY = os.environ.get("RAZVILKA_SMALL_KEY", "")
AT_ONCE = 5
MODEL, EMBEDDINGS = "gigachat-pro", "gigachat-embeddings"
QUESTION = "Какая погода в Казани?"
# The emulated model calls a function by itself only where the text tells it to.
ASKS_FOR_TOOL = QUESTION + ' [[call:weather {"city": "Казань"}]]'
# Two minutes of small pieces: whoever does not end it has not let go.
ENDLESS = QUESTION + " [[tokens:400]] [[chunks:400]] [[gap:300]]"
# More than this model's window.
NARROW_MODEL, TOO_LONG = "yandexgpt-lite", "слово " * 40_000
NAMES = (
    *("chat", "stream", "tools", "structured", "embeddings", "models", "wrong_key", "unknown_model", "too_long"),
    *("cancel", "rate_limit"),
)
STEP_S, FREED_S, TRIES, TAKE_EVERY_S = 60, 20, 3, 0.02


def main(program: Mapping[str, Any]) -> None:
    """Run the steps that the program has, and print for each an empty text, or what went wrong."""
    chosen = sys.argv[1:] or NAMES
    print(json.dumps({name: _outcome(program[name]) for name in NAMES if name in program and name in chosen}))


def _outcome(step: Callable[[], Any]) -> str:
    try:
        _made(step)
    except Exception as exc:
        # No folders of this machine: the text goes into a page.
        return f"{type(exc).__name__}: {exc}".replace(sys.prefix, "")[:300]
    return ""


def _made(step: Callable[[], Any]) -> None:
    made = step()
    if inspect.isawaitable(made):
        asyncio.run(_awaited(made))


async def _awaited(made: Any) -> None:
    await asyncio.wait_for(made, STEP_S)


def refused(step: Callable[[], Any], status: int) -> None:
    """See that the library raises an error with this status among its causes, or in its text."""
    error = _error_of(step)
    assert error is not None, "nothing was refused"
    _see_status(error, status)


def refused_as(step: Callable[[], Any], kind: str) -> None:
    """See that the library raises the class that its documentation names for this."""
    error = _error_of(step)
    assert error is not None, "nothing was refused"
    assert kind in [base.__name__ for base in type(error).__mro__], repr(error)


def limited(step: Callable[[], Any], kind: str = "") -> None:
    """See that a request too many is refused as such; the step asks with SMALL_KEY."""
    error = None
    with _nothing_left():
        for _ in range(TRIES):
            error = error or _error_of(step)
    assert error is not None, "the limit was not felt: does the library wait and try again by itself?"
    if kind:
        assert kind in [base.__name__ for base in type(error).__mro__], repr(error)
    else:
        _see_status(error, 429)


def waited_out(step: Callable[[], Any]) -> None:
    """See that a request too many is answered after all, by a library that reads `Retry-After` and asks again."""
    _exhaust()
    _made(step)


@contextlib.contextmanager
def _nothing_left() -> Iterator[None]:
    """Take, all the time, each request that comes back to SMALL_KEY, however long the library takes to ask."""
    over = threading.Event()

    def take() -> None:
        while not over.wait(TAKE_EVERY_S):
            _ask({"max_tokens": 5})

    _exhaust()
    taker = threading.Thread(target=take)
    taker.start()
    try:
        yield
    finally:
        over.set()
        taker.join()


def _exhaust() -> None:
    while _ask({"max_tokens": 5}) != 429:
        pass


def _error_of(step: Callable[[], Any]) -> Exception | None:
    try:
        _made(step)
    except Exception as exc:
        return exc
    return None


def _see_status(error: BaseException, status: int) -> None:
    found: BaseException | None = error
    while found is not None and getattr(found, "status_code", None) != status:
        found = found.__cause__ or found.__context__
    assert found is not None or str(status) in str(error), repr(error)


@contextlib.contextmanager
def last_place() -> Iterator[None]:
    """Hold all the places of SMALL_KEY but one, for the stream of the library."""
    with contextlib.ExitStack() as streams:
        for _ in range(AT_ONCE - 1):
            streams.enter_context(_opened({"stream": True}, ENDLESS))
        yield


def see_taken() -> None:
    """See that the library's stream holds the last place."""
    assert _ask({"max_tokens": 5}) == 429, "the stream had ended by itself"


def see_freed() -> None:
    """See that what the library no longer reads is no longer made: its place is free.

    An asynchronous program calls it in a thread: the library's own tasks end meanwhile.
    """
    give_up_at = time.monotonic() + FREED_S
    while _ask({"max_tokens": 5}) == 429:
        assert time.monotonic() < give_up_at, "the request went on without its reader"
        time.sleep(0.5)


async def let_go(pieces: AsyncIterator[Any], stop: Callable[[], Any] | None = None) -> None:
    """See that a task that reads a stream, once it is cancelled (or `stop` is called), ends the stream."""
    begun = asyncio.Event()

    async def read() -> None:
        try:
            async for _piece in pieces:
                begun.set()
        finally:
            begun.set()

    with last_place():
        task = asyncio.create_task(read())
        await begun.wait()
        see_taken()
        (stop or task.cancel)()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(see_freed)


def _ask(more: Mapping[str, Any]) -> int:
    try:
        with _opened(more, QUESTION) as answer:
            answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code
    return 200


def _opened(more: Mapping[str, Any], question: str) -> Any:
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], **more}
    headers = {"authorization": f"Bearer {SMALL_KEY}", "content-type": "application/json"}
    asked = urllib.request.Request(f"{BASE_URL}/chat/completions", json.dumps(body).encode(), headers)
    return urllib.request.urlopen(asked, timeout=STEP_S)
