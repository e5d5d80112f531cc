"""GigaChat's files: which kinds are taken."""

import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from emulator.testing import GIGACHAT_CREDENTIALS, GIGACHAT_SCOPE, RunningEmulator


@pytest.mark.parametrize(
    ("mime", "status"),
    [("application/pdf", 200), ("audio/mp3", 200), ("audio/mpeg", 400), ("image/webp", 400), ("text/markdown", 400)],
)
async def test_files_of_other_kinds_are_not_taken(
    emulator: RunningEmulator,
    http: aiohttp.ClientSession,
    gigachat_token: Callable[..., Awaitable[str]],
    mime: str,
    status: int,
) -> None:
    """By the types of its documentation."""
    form = aiohttp.FormData()
    form.add_field("file", b"camp", filename="camp", content_type=mime)
    form.add_field("purpose", "general")
    headers = {"Authorization": f"Bearer {await gigachat_token()}"}

    async with http.post(f"{emulator.gigachat_url}/v1/files", data=form, headers=headers) as response:
        assert response.status == status


async def test_a_file_is_seen_under_its_own_key_only(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> None:
    """Neither its words, nor that it is there."""
    await emulator.control.add_credential("gigachat", key="b3RoZXI6c2VjcmV0", scope=GIGACHAT_SCOPE)
    form = aiohttp.FormData()
    form.add_field("file", b"camp", filename="camp.txt", content_type="text/plain")
    form.add_field("purpose", "general")
    own, other = [
        {"Authorization": f"Bearer {await gigachat_token(key, GIGACHAT_SCOPE)}"}
        for key in (GIGACHAT_CREDENTIALS, "b3RoZXI6c2VjcmV0")
    ]
    base = f"{emulator.gigachat_url}/v1/files"
    async with http.post(base, data=form, headers=own) as response:
        file_id = (await response.json())["id"]

    statuses = []
    for headers in (own, other):
        async with http.get(f"{base}/{file_id}/content", headers=headers) as response:
            statuses.append(response.status)
    async with http.get(base, headers=other) as response:
        listed = await response.json()

    assert (statuses, listed) == ([200, 404], {"data": []})


async def test_a_list_of_files_is_as_late_as_was_asked_for(
    emulator: RunningEmulator, http: aiohttp.ClientSession, gigachat_token: Callable[..., Awaitable[str]]
) -> None:
    """The fault `latency` holds for every answer of the API."""
    headers = {"Authorization": f"Bearer {await gigachat_token()}", "x-emulator-fault": "latency;ms=1500"}
    before = time.monotonic()

    async with http.get(f"{emulator.gigachat_url}/v1/files", headers=headers) as response:
        late_s = time.monotonic() - before

    assert (response.status, late_s >= 1.5) == (200, True)
