"""Replies to deferred calls that are laid out, or cut, as no emulator does it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiohttp import web

from emulator.testing import RunningEmulator
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import Answer, Message, Prompt, Role
from services.router.providers.provider import ProviderCall
from services.router.tests.adapters import LONG_S, MODELS, open_adapters

FIRM: Final = base64.b64encode(b"a firm:its secret").decode()
ASKED: Final = Prompt("any", [Message(Role.USER, "Где стоянка?")], deferral="batch_1:7")
SAID: Final = "Первая строка\nи вторая: «стоянка» 🅿"
OPERATION: Final = {
    "done": True,
    "id": "op",
    "response": {
        "@type": "type.googleapis.com/yandex.cloud.ai.foundation_models.v1.CompletionResponse",
        "alternatives": [{"message": {"role": "assistant", "text": SAID}, "status": "ALTERNATIVE_STATUS_FINAL"}],
        "usage": {"inputTextTokens": "5", "completionTokens": "7", "totalTokens": "12"},
        "modelVersion": "23.10.2024",
    },
}


@asynccontextmanager
async def provider_that_says(bodies: Mapping[str, bytes]) -> AsyncIterator[str]:
    """Yield the address of a server that answers each path with one body."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bodies[f"{request.method} {request.path}"], content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


async def yandex_told(emulator: RunningEmulator, operation: bytes) -> Answer:
    bodies = {"POST /foundationModels/v1/completionAsync": b'{"id":"op"}', "GET /operations/op": operation}
    async with provider_that_says(bodies) as url:
        of_yandex: dict[str, Any] = {"base_url": url, "operations_url": f"{url}/operations"}
        async with open_adapters(emulator, **of_yandex) as adapters, asyncio.timeout(LONG_S):
            return await adapters.yandex.complete(ASKED, _call("native"))


def _call(dialect: str) -> ProviderCall:
    return ProviderCall(MODELS[dialect], "request", {}, deferral="batch_1:7")


@pytest.mark.parametrize("indent", [None, 1, 4])
async def test_an_operation_may_be_laid_out_in_lines(emulator: RunningEmulator, indent: int | None) -> None:
    """As the services of Yandex Cloud lay out their JSON; the answer was malformed, forgotten, and asked anew."""
    answer = await yandex_told(emulator, json.dumps(OPERATION, indent=indent, ensure_ascii=False).encode() + b"\n")

    assert answer.choices[0].content == SAID
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 7)


async def test_results_with_half_a_letter_fail_their_line(emulator: RunningEmulator) -> None:
    """As any answer that cannot be read; whoever waits for the line is not cancelled."""
    await emulator.control.add_credential("gigachat", key=FIRM, scope="GIGACHAT_API_CORP")
    listed = {"batches": [{"id": "b", "status": "completed", "output_file_id": "f"}]}
    bodies = {
        "POST /v1/batches": b'{"id":"b"}',
        "GET /v1/batches": json.dumps(listed).encode(),
        "GET /v1/files/f/content": b'{"id":"batch_1:7 \xd0","result":{}}\n',
    }
    async with provider_that_says(bodies) as url:
        given = {"credentials": FIRM, "scope": "GIGACHAT_API_CORP", "base_url": f"{url}/v1"}
        async with open_adapters(emulator, gigachat=given) as adapters, asyncio.timeout(LONG_S):
            with pytest.raises(ServiceError) as caught:
                await adapters.gigachat.complete(ASKED, _call("gigachat"))

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
