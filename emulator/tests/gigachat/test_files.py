"""GigaChat's files: which kinds are taken."""

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from emulator.testing import RunningEmulator


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
