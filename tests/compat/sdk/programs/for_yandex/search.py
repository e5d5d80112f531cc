"""The search API: pages, pictures, answers, statistics of queries."""

import datetime
from typing import Any

import grpc

from for_yandex.settings import in_both_ways, now, refused

PICTURE = b"\x89PNG a map with a camp"
SOON = {"poll_interval": 0.1}


@in_both_ways
async def can_search_the_web(sdk: Any) -> None:
    search = sdk.search_api.web("RU", groups_on_page=5, docs_in_group=2, max_passages=1, region="225")
    first = await now(search.run("стоянки у реки"))
    assert (first.page, len(first.groups), len(first.docs)) == (0, 5, 10)
    doc = first.docs[0]
    assert doc.url.startswith(f"https://{doc.domain}/")
    assert (doc.lang, len(doc.passages), doc.modtime is not None) == ("ru", 1, True)
    second = await now(first.next_page())
    assert (second.page, second.docs[0].url != doc.url) == (1, True)
    third = await now((await now(second.next_page_deferred())).wait(**SOON))
    assert third.page == 2
    assert (first.index(doc), first.count(doc)) == (0, 1)
    again = await now(search.run("стоянки у реки", format="xml"))
    assert doc.url.encode() in again
    assert b"<html" in await now(search.run("стоянки", format="html"))
    assert (await now(search.run("стоянки", page=40))).docs == ()


@in_both_ways
async def can_search_the_web_later(sdk: Any) -> None:
    search = sdk.search_api.web("RU").configure(sort_mode="BY_TIME", sort_order="ASC")
    found = await now((await now(search.run_deferred("стоянки"))).wait(**SOON))
    times = [doc.modtime for doc in found]
    assert times == sorted(times)
    raw = await now((await now(search.run_deferred("стоянки", format="html"))).wait(**SOON))
    assert b"<html" in raw
    await refused(grpc.StatusCode.INVALID_ARGUMENT, search.run, "с" * 401)


@in_both_ways
async def can_search_pictures(sdk: Any) -> None:
    search = sdk.search_api.image("RU", format="png", docs_on_page=3).configure(site="example.org")
    first = await now(search.run("стоянка"))
    assert [(doc.format, doc.domain) for doc in first.docs] == [("png", "example.org")] * 3
    assert first.docs[0].width > 0
    second = await now(first.next_page())
    assert first.docs[0].url != second.docs[0].url
    assert (second.index(second.docs[1]), second.count(second.docs[1])) == (1, 1)
    assert second.docs[0].url.encode() in await now(search.run("стоянка", page=1, format="xml"))


@in_both_ways
async def can_search_by_a_picture(sdk: Any) -> None:
    search = sdk.search_api.by_image(family_mode="strict").configure(site="example.org")
    first = await now(search.run(PICTURE))
    assert first.docs[0].host == "example.org"
    assert (await now(search.run_from_id(first.cbir_id))).docs == first.docs
    assert (await now(first.next_page())).docs != first.docs
    assert (first.index(first.docs[2]), first.count(first.docs[2])) == (2, 1)
    assert (await now(search.run_from_url("https://example.org/camp.png"))).cbir_id != first.cbir_id
    await refused(grpc.StatusCode.INVALID_ARGUMENT, search.run, b"no picture")


@in_both_ways
async def can_ask_the_search(sdk: Any) -> None:
    assert "pdf" in sdk.search_api.generative.available_formats
    search = sdk.search_api.generative(site="example.org").configure(search_filters={"lang": "ru"}, fix_misspell=True)
    answer = await now(search.run("далеко до стоянки?"))
    assert answer.role == "assistant"
    assert "[1]" in answer.text
    assert {source.url.split("/")[2] for source in answer.sources} == {"example.org"}
    assert [source.used for source in answer.sources][:3] == [True, True, False]
    assert answer.search_queries[0].text == "далеко до стоянки?"
    assert (await now(search.run(["далеко?", answer, "а до реки?"]))).text != answer.text


@in_both_ways
async def can_ask_what_people_ask(sdk: Any) -> None:
    wordstat = sdk.search_api.wordstat().configure()
    tree = await now(wordstat.get_regions_tree())
    assert tree["225"].children["1"].children["213"].label == "Москва"
    top = await now(wordstat.get_top("стоянка", 5, regions=["213"], devices=["phone"]))
    assert next(iter(top.results)) == "стоянка"
    assert list(top.results.values()) == sorted(top.results.values(), reverse=True)
    dates = datetime.date(2026, 1, 1), datetime.date(2026, 1, 10)
    assert len(await now(wordstat.get_dynamics("стоянка", "daily", *dates))) == 10
    where = await now(wordstat.get_regions_distribution("стоянка", distribution_type="cities", resolve_regions=True))
    assert {item.region.label for item in where} == {"Москва", "Санкт-Петербург", "Минск"}
    assert round(sum(item.share for item in where), 6) == 1


@in_both_ways
async def can_draw(sdk: Any) -> None:
    model = sdk.models.image_generation("yandex-art").configure(seed=7, width_ratio=2, height_ratio=1)
    drawn = await now((await now(model.run_deferred(["стоянка", "у реки"]))).wait(**SOON))
    assert drawn._repr_jpeg_() == drawn.image_bytes
    again = await now((await now(model.run_deferred(["стоянка", "у реки"]))).wait(**SOON))
    assert again.image_bytes == drawn.image_bytes
    await refused(grpc.StatusCode.INVALID_ARGUMENT, model.configure(mime_type="image/gif").run_deferred, "стоянка")
