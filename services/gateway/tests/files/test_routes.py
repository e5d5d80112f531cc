"""Files over HTTP: in OpenAI's shapes, for their owner, and never as a page of ours."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.router.v1 import router_pb2 as pb

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge

FILE = "file-AAAA_bbbb-cccc"
PICTURE = b"\xff\xd8\xff a picture"


@pytest.fixture(autouse=True)
def made(backends: Backends) -> None:
    """Have a file of the test's user and one of somebody else."""
    for owner, file_id in (("user-1", FILE), ("user-2", "file-of-another")):
        backends.router.files[owner, file_id] = pb.GetFileResponse(
            name="generated.jpg",
            mime="image/jpeg",
            size_bytes=len(PICTURE),
            created_at=Timestamp(seconds=1_795_435_200),
            content=PICTURE,
        )


async def test_a_file_is_described_in_the_words_of_openai(edge: Edge) -> None:
    """As the `openai` client reads it."""
    answer = await edge.client.get(f"/v1/files/{FILE}")

    assert answer.json() == {
        "id": FILE,
        "object": "file",
        "bytes": len(PICTURE),
        "created_at": 1_795_435_200,
        "expires_at": None,
        "filename": "generated.jpg",
        "purpose": "vision",
        "status": "processed",
    }


async def test_the_content_is_a_download(edge: Edge) -> None:
    """A picture that is no picture must not run as a page of this host."""
    answer = await edge.client.get(f"/v1/files/{FILE}/content")

    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == f'attachment; filename="{FILE}.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_head_says_how_large_it_is(edge: Edge) -> None:
    """Without the bytes."""
    answer = await edge.client.head(f"/v1/files/{FILE}/content")

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", str(len(PICTURE)))


async def test_a_file_is_deleted_once(edge: Edge) -> None:
    """In OpenAI's shape; then it is not there."""
    first, second = await edge.client.delete(f"/v1/files/{FILE}"), await edge.client.delete(f"/v1/files/{FILE}")

    assert first.json() == {"id": FILE, "object": "file", "deleted": True}
    assert second.status_code == 404


@pytest.mark.parametrize(
    "file_id", ["file-of-another", "file-none", "x" * 129, "file-%22%0d%0aset-cookie:%20a=b", "%D0%BA", "file-;a"]
)
async def test_what_is_not_the_callers_is_not_there(edge: Edge, file_id: str) -> None:
    """One answer for all: nobody learns what others have."""
    for path in (f"/v1/files/{file_id}", f"/v1/files/{file_id}/content"):
        answer = await edge.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
        assert "set-cookie" not in answer.headers


async def test_the_router_is_told_whose_the_answer_is(edge: Edge, backends: Backends) -> None:
    """Whole and streamed; and `function_call: auto` alone lets the model draw."""
    for stream in (False, True):
        body = {"model": "yandexgpt", "messages": [{"role": "user", "content": "нарисуй"}], "stream": stream}
        answer = await edge.client.post("/v1/chat/completions", json={**body, "function_call": "auto"})
        assert answer.status_code == 200, answer.text

    assert [(asked.tenant, asked.tool_choice.mode) for asked in backends.router.prompts] == [("user-1", "auto")] * 2


async def test_a_credential_without_the_scope_sees_no_file(edge: Edge, backends: Backends) -> None:
    """Whoever may not ask models may not have what they made."""
    answer = await edge.client.get(f"/v1/files/{FILE}", headers={"Authorization": "Bearer nonsense"})

    assert answer.status_code == 401


async def test_an_error_names_the_field_as_its_caller_wrote_it(edge: Edge) -> None:
    """`param` is where clients look; the services behind know a page's beginning and a batch's file as ids."""
    order = {"input_file_id": "file-none", "endpoint": "/v1/chat/completions", "completion_window": "24h"}

    refused = [
        await edge.client.get("/v1/files", params={"after": "file-none"}),
        await edge.client.get("/v1/batches", params={"after": "batch_none"}),
        await edge.client.post("/v1/batches", json=order),
    ]

    assert [answer.status_code for answer in refused] == [404] * 3
    assert [answer.json()["error"]["param"] for answer in refused] == ["after", "after", "input_file_id"]
