"""Files and search indexes."""

import tempfile
from pathlib import Path
from typing import Any

import grpc
import httpx
from yandex_ai_studio_sdk.search_indexes import (
    HybridSearchIndexType,
    StaticIndexChunkingStrategy,
    TextSearchIndexType,
    VectorSearchIndexType,
)

from for_yandex.settings import every, in_both_ways, now, refused

NOTE = "Стоянка у реки.".encode()


async def fetched(url: str) -> httpx.Response:
    """Return what stands at an address that needs no key."""
    async with httpx.AsyncClient() as http:
        return await http.get(url)


@in_both_ways
async def can_keep_files(sdk: Any) -> None:
    file = await now(
        sdk.files.upload_bytes(NOTE, name="стоянка", labels={"team": "north"}, ttl_days=3, expiration_policy="static")
    )
    assert (file.name, file.mime_type, file.labels, file.expiration_config.ttl_days) == (
        "стоянка",
        "text/plain",
        {"team": "north"},
        3,
    )
    assert (file.expires_at - file.created_at).days == 3
    assert (await now(sdk.files.get(file.id))).name == "стоянка"
    await now(
        file.update(name="лагерь", description="у реки", labels=None, ttl_days=5, expiration_policy="since_last_active")
    )
    found = await now(sdk.files.get(file.id))
    assert (found.name, found.description, found.labels or {}) == ("лагерь", "у реки", {})
    assert found.expiration_config.ttl_days == 5
    assert (await fetched(await now(file.get_url()))).content == NOTE
    assert await now(file.download_as_bytes()) == NOTE
    assert file.id in [one.id for one in await every(sdk.files.list(page_size=1))]
    url = await now(file.get_url())
    await now(file.delete())
    assert (await fetched(url)).status_code == 404
    await refused(grpc.StatusCode.NOT_FOUND, sdk.files.get, file.id)


@in_both_ways
async def can_upload_a_file_by_its_path(sdk: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "camp.pdf"
        path.write_bytes(b"%PDF-1.7 a map")
        file = await now(sdk.files.upload(path, name="карта"))
    assert file.mime_type == "application/pdf"
    await now(file.delete())


@in_both_ways
async def can_keep_search_indexes(sdk: Any) -> None:
    first, second = [await now(sdk.files.upload_bytes(NOTE, name=name)) for name in ("река", "лес")]
    chunks = StaticIndexChunkingStrategy(max_chunk_size_tokens=700, chunk_overlap_tokens=300)
    kinds = (TextSearchIndexType(chunks), VectorSearchIndexType(chunks), HybridSearchIndexType(chunks))
    for kind in kinds:
        operation = await now(sdk.search_indexes.create_deferred(first, index_type=kind, name="стоянки"))
        index = await now(operation.wait(poll_interval=0.1))
        assert type(index.index_type) is type(kind)
        assert index.index_type.chunking_strategy == chunks
    added = await now((await now(index.add_files_deferred([second]))).wait(poll_interval=0.1))
    assert [file.id for file in added] == [second.id]
    assert {file.id for file in await every(index.list_files(page_size=1))} == {first.id, second.id}
    assert (await now(index.get_file(second.id))).search_index_id == index.id
    await now(index.update(name="лагеря", labels={"team": "north"}))
    found = await now(sdk.search_indexes.get(index.id))
    assert (found.name, found.labels) == ("лагеря", {"team": "north"})
    assert index.id in [one.id for one in await every(sdk.search_indexes.list(page_size=2))]
    await now(index.delete())
    await refused(grpc.StatusCode.NOT_FOUND, sdk.search_indexes.get, index.id)
    await refused(grpc.StatusCode.NOT_FOUND, sdk.search_indexes.create_deferred, "fvtnone")
