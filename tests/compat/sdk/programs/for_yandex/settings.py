"""How the scenarios reach the emulator, and how one scenario is played in both ways of the SDK."""

import inspect
import json
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from yandex_ai_studio_sdk import AIStudio, AsyncAIStudio
from yandex_ai_studio_sdk.auth import APIKeyAuth

AT: dict[str, str] = json.loads(sys.argv[1])
FOLDER, KEY = "b1gemulatorfolder000", "AQVN-emulator-demo-key"


def settings(**more: Any) -> dict[str, Any]:
    """Return how to reach the emulator: services are looked up, as at the provider."""
    return {
        "folder_id": FOLDER,
        "endpoint": AT["yandex_grpc"],
        "auth": APIKeyAuth(KEY),
        "verify": False,
        "service_map": {"http_completions": AT["yandex"] + "/v1/"},
        **more,
    }


def made(**more: Any) -> AsyncAIStudio:
    """Return an asynchronous client."""
    return AsyncAIStudio(**settings(**more))


def in_both_ways(scenario: Callable[[Any], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Play a scenario with the asynchronous client, then with the blocking one."""

    @wraps(scenario)
    async def played() -> None:
        await scenario(made())
        await scenario(AIStudio(**settings()))

    # Its argument is given here.
    del played.__wrapped__  # type: ignore[attr-defined]
    return played


async def now(value: Any) -> Any:
    """Return what a call gave, whichever client was called; an operation is not waited for."""
    return await value if inspect.iscoroutine(value) else value


async def every(found: Any) -> list[Any]:
    """Return what a generator of either kind yields."""
    return [item async for item in found] if hasattr(found, "__aiter__") else list(found)


async def refused(status: Any, call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Check that the provider says no with this gRPC status."""
    from yandex_ai_studio_sdk.exceptions import AioRpcError

    try:
        await now(call(*arguments, **named))
    except AioRpcError as error:
        assert error.code() == status, error
    else:
        raise AssertionError(f"{status} was not raised")
