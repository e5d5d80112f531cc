"""Uploads that come to nothing: what had come of them is deleted, whoever broke them off."""

from __future__ import annotations

import asyncio

import pytest

from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.batch_backend import UPLOAD
from services.gateway.tests.conftest import Edge
from tools.testing.patience import PATIENT_S

HEAD = (
    "POST /v1/files HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 99000000\r\n\r\n"
    '--b\r\nContent-Disposition: form-data; name="file"; filename="asked.jsonl"\r\n\r\n'
)


async def removed(backends: Backends) -> str:
    """Return the file that is deleted next."""
    async with asyncio.timeout(PATIENT_S):
        return await backends.router.batches.removed.get()


async def test_a_caller_who_hangs_up_leaves_nothing_behind(edge: Edge, backends: Backends) -> None:
    """In the middle of a file: its parts would take the caller's room for an hour."""
    _, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port)
    writer.write(HEAD.format(key=KEY).encode() + b"{}\n" * 500_000)
    async with asyncio.timeout(PATIENT_S):
        await backends.router.batches.parts.get()

    writer.close()

    assert await removed(backends) == UPLOAD


@pytest.mark.parametrize("fields", [{}, {"purpose": "batch", "expires_after[seconds]": "1"}])
async def test_a_form_that_is_refused_leaves_nothing_behind(
    edge: Edge, backends: Backends, fields: dict[str, str]
) -> None:
    """The file had come whole before it was seen what the form lacks."""
    answer = await edge.client.post("/v1/files", files={"file": ("asked.jsonl", b"{}\n" * 500_000)}, data=fields)

    assert answer.status_code == 400
    assert await removed(backends) == UPLOAD
