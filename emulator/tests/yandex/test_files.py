"""Yandex's files and search indexes: kept by folder, paged, changed by masks, expired."""

import base64
import json
from typing import Any

import aiohttp
import grpc
import pytest

from emulator.tests.asking import post
from emulator.tests.yandex_services import HEADERS, Services

DAY_S = 86_400
CONTENT = base64.b64encode("Стоянка у реки.".encode()).decode()


async def file_of(services: Services, **fields: Any) -> dict[str, Any]:
    return await services.ask("FileService.Create", content=CONTENT, **fields)


async def test_a_file_is_read_at_its_address_until_it_is_deleted(services: Services) -> None:
    """The address needs no key."""
    file = await file_of(services, name="стоянка")
    url = (await services.ask("FileService.GetUrl", fileId=file["id"]))["url"]

    before = await services.get(url)
    await services.ask("FileService.Delete", fileId=file["id"])

    assert (before.decode(), file["mimeType"]) == ("Стоянка у реки.", "text/plain")
    assert b"NoSuchKey" in await services.get(url)


async def test_a_mask_says_which_fields_change(services: Services) -> None:
    """A field in the mask that was not sent is emptied; one outside stays."""
    file = await file_of(services, name="стоянка", description="у реки", labels={"team": "north"})

    changed = await services.ask("FileService.Update", fileId=file["id"], updateMask="name,labels", name="лагерь")

    assert (changed["name"], changed["description"], "labels" in changed) == ("лагерь", "у реки", False)


async def test_use_puts_off_the_end_of_a_file_but_not_of_a_static_one(services: Services) -> None:
    """Both live three days."""
    used, static = [
        await file_of(services, expirationConfig={"expirationPolicy": policy, "ttlDays": "3"})
        for policy in ("SINCE_LAST_ACTIVE", "STATIC")
    ]
    for file in (used, static):
        services.clock[0] += DAY_S
        await services.ask("FileService.Get", fileId=file["id"])
    services.clock[0] += 1.5 * DAY_S

    assert await services.status_of("FileService.Get", fileId=used["id"]) == "OK"
    assert await services.status_of("FileService.Get", fileId=static["id"]) == "NOT_FOUND"


async def test_pages_go_on_until_an_empty_one(services: Services) -> None:
    """As the provider's own client reads them."""
    names = [(await file_of(services, name=f"файл {number}"))["name"] for number in range(3)]
    found, token = [], ""
    while (page := await services.ask("FileService.List", pageSize="2", pageToken=token)).get("files"):
        found += [file["name"] for file in page["files"]]
        token = page["nextPageToken"]

    assert found == names
    assert await services.status_of("FileService.List", pageSize="1001") == "INVALID_ARGUMENT"


async def test_rest_has_the_files_too(services: Services) -> None:
    """Ids stand in the path, other fields in the query."""
    file = await file_of(services, name="стоянка")
    base = f"{services.emulator.yandex_url}/files/v1/files"

    one = json.loads(await services.get(f"{base}/{file['id']}", HEADERS))
    listed = json.loads(await services.get(f"{base}?folderId={file['folderId']}&pageSize=5", HEADERS))
    url = json.loads(await services.get(f"{base}:getUrl?fileId={file['id']}", HEADERS))

    assert (one["name"], [other["id"] for other in listed["files"]]) == ("стоянка", [file["id"]])
    assert url["url"].startswith(services.emulator.yandex_url)


@pytest.mark.parametrize("body", [[], {"fileIds": 7}, {"fileIds": ["x"], "pageSize": []}])
async def test_rest_may_send_a_field_of_any_shape(services: Services, http: aiohttp.ClientSession, body: Any) -> None:
    """It is the request that is wrong, not the emulator that breaks."""
    url = f"{services.emulator.yandex_url}/assistants/v1/searchIndex"

    status, _ = await post(http, url, body, HEADERS, stream=False)

    assert status in (400, 404)


async def test_an_index_is_there_when_its_operation_is_done(services: Services) -> None:
    """With the files of the request, cut as the provider cuts them."""
    file = await file_of(services)
    begun = await services.ask("SearchIndexService.Create", fileIds=[file["id"]], name="стоянки")
    early = await services.ask("SearchIndexService.List")

    index = await services.done(begun)

    read = await services.ask("SearchIndexService.Get", searchIndexId=index["id"])
    files = await services.ask("SearchIndexFileService.List", searchIndexId=index["id"])
    assert (begun.get("done"), early) == (None, {})
    assert read["textSearchIndex"]["chunkingStrategy"]["staticStrategy"]["maxChunkSizeTokens"] == "800"
    assert [one["id"] for one in files["files"]] == [file["id"]]


async def test_files_are_added_to_an_index(services: Services) -> None:
    """The operation gives those that were added; both can be read by id."""
    first, second = [await file_of(services) for _ in range(2)]
    index = await services.done(await services.ask("SearchIndexService.Create", fileIds=[first["id"]]))
    about = {"searchIndexId": index["id"]}

    added = await services.done(
        await services.ask("SearchIndexFileService.BatchCreate", fileIds=[second["id"]], **about)
    )

    assert [file["id"] for file in added["files"]] == [second["id"]]
    assert (await services.ask("SearchIndexFileService.Get", fileId=first["id"], **about))["id"] == first["id"]
    assert await services.status_of("SearchIndexFileService.Get", fileId="none", **about) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("FileService.Create", {}, "INVALID_ARGUMENT"),
        ("FileService.Get", {"fileId": "none"}, "NOT_FOUND"),
        ("FileService.List", {"folderId": "b1gother"}, "INVALID_ARGUMENT"),
        ("SearchIndexService.Create", {"fileIds": ["none"]}, "NOT_FOUND"),
        ("SearchIndexService.Create", {}, "INVALID_ARGUMENT"),
        ("SearchIndexService.Delete", {"searchIndexId": "none"}, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_done_is_refused(services: Services, name: str, fields: Any, status: str) -> None:
    """With the provider's status."""
    assert await services.status_of(name, **fields) == status


async def test_without_a_key_nothing_is_kept(services: Services) -> None:
    """As everywhere at the provider."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await services.ask("FileService.Create", (), content=CONTENT)

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
