"""What every program tries, and how it says what came of it. Runs in the environment of a library."""

import asyncio
import inspect
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

BASE_URL = os.environ.get("RAZVILKA_URL", "") + "/v1"
KEY = os.environ.get("RAZVILKA_API_KEY", "")
MODEL, EMBEDDINGS = "gigachat-pro", "gigachat-embeddings"
QUESTION = "Какая погода в Казани?"
# The emulated model calls a function by itself only where the text tells it to.
ASKS_FOR_TOOL = QUESTION + ' [[call:weather {"city": "Казань"}]]'
NAMES = ("chat", "stream", "tools", "structured", "embeddings", "models", "wrong_key", "unknown_model")


def main(program: Mapping[str, Any]) -> None:
    """Run the steps that the program has, and print for each an empty text, or what went wrong."""
    print(json.dumps({name: _outcome(program[name]) for name in NAMES if name in program}))


def _outcome(step: Callable[[], Any]) -> str:
    try:
        made = step()
        if inspect.isawaitable(made):
            asyncio.run(_awaited(made))
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"[:400]
    return ""


async def _awaited(made: Any) -> None:
    await asyncio.wait_for(made, 60)


def refused(step: Callable[[], Any], status: int) -> None:
    """See that the library raises an error that has this status somewhere in its causes."""
    try:
        made = step()
        if inspect.isawaitable(made):
            asyncio.run(_awaited(made))
    except Exception as exc:
        found: BaseException | None = exc
        while found is not None and getattr(found, "status_code", None) != status:
            found = found.__cause__ or found.__context__
        assert found is not None or str(status) in str(exc), repr(exc)
        return
    raise AssertionError("nothing was refused")
