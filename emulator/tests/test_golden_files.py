"""Replays of the recorded payloads."""

import hashlib
from typing import Any

import aiohttp
import pytest

from emulator.control_client import ControlError
from emulator.golden_files import NoSuchGoldenError, golden_names, load, load_document
from emulator.testing import GIGACHAT_CREDENTIALS, YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator


def replayable() -> list[str]:
    """Return the names of documents that hold a response."""
    found = []
    for name in golden_names():
        try:
            found.append(load(name).name)
        except NoSuchGoldenError:
            continue
    return found


@pytest.mark.parametrize("name", [name for name in replayable() if not name.endswith("_cut")])
async def test_every_recorded_response_comes_back_byte_for_byte(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Any, name: str
) -> None:
    """Status, type and body are the recorded ones, whatever was asked."""
    golden = load(name)
    url, headers = (
        f"{emulator.yandex_url}/foundationModels/v1/completion",
        {"Authorization": f"Api-Key {YANDEX_API_KEY}"},
    )
    if golden.provider == "gigachat":
        url = f"{emulator.gigachat_url}/v1/chat/completions"
        headers = {"Authorization": f"Bearer {await gigachat_token()}"}
    if golden.is_token_answer:
        url = f"{emulator.yandex_url}/iam/v1/tokens"
        if golden.provider == "gigachat":
            url, headers = emulator.gigachat_auth_url, {"Authorization": f"Basic {GIGACHAT_CREDENTIALS}"}
    await emulator.control.replay(name)
    body = {
        "modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt",
        "model": "GigaChat-2",
        "messages": [{"role": "user", "text": "x", "content": "x"}],
    }

    async with http.post(url, json=body, headers=headers) as response:
        raw = await response.read()

    assert (response.status, raw) == (golden.status, golden.body)
    assert response.headers["content-type"].encode() == golden.content_type


async def test_a_cut_stream_is_cut(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """The bytes end inside a line and no last chunk follows."""
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt", "messages": [{"role": "user", "text": "x"}]}
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}
    await emulator.control.replay("yandex/stream_native_cut")

    url = f"{emulator.yandex_url}/foundationModels/v1/completion"
    async with http.post(url, json=body, headers=headers) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert (await emulator.control.ground_truth())[0]["ended"] == "fault"


async def test_a_request_or_an_unknown_name_is_not_replayed(emulator: RunningEmulator) -> None:
    """The control API says so at once."""
    for name in ("yandex/chat_request", "yandex/none", "../secrets"):
        with pytest.raises(ControlError):
            await emulator.control.replay(name)


@pytest.mark.parametrize("name", [name for name in replayable() if load(name).streamed])
def test_each_stream_document_agrees_with_its_raw_file(name: str) -> None:
    """The digest and size inside the JSON are those of the bytes beside it."""
    response = load_document(name)["response"]

    assert response["raw_bytes"] == len(load(name).body)
    assert response["raw_sha256"] == hashlib.sha256(load(name).body).hexdigest()
