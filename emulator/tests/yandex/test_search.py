"""Yandex's search and pictures: the same query has the same results, page by page."""

import base64
import struct
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from emulator.testing import YANDEX_FOLDER
from emulator.tests.yandex_services import Services

RU = {"searchType": "SEARCH_TYPE_RU", "queryText": "стоянка"}


async def page(services: Services, method: str, **fields: Any) -> ElementTree.Element:
    """Return a page of results as its XML."""
    found = await services.ask(method, **{"query": RU, **fields})
    return ElementTree.fromstring(base64.b64decode(found["rawData"]))


def urls(found: ElementTree.Element) -> list[str | None]:
    return [element.text for element in found.iter("url")]


async def test_pages_follow_each_other_to_the_last(services: Services) -> None:
    """No result comes twice; behind the last page there is the error that says so."""
    seen: list[str | None] = []
    for number in range(6):
        found = await page(services, "WebSearchService.Search", query={**RU, "page": str(number)})
        seen += urls(found)
    behind = await page(services, "WebSearchService.Search", query={**RU, "page": "6"})

    assert (len(seen), len(set(seen))) == (57, 57)
    assert [error.get("code") for error in behind.iter("error")] == ["15"]


async def test_results_are_grouped_and_sorted_as_asked(services: Services) -> None:
    """Deep groups hold pages of one site; by time the latest comes first."""
    group_spec = {"groupsOnPage": "4", "docsInGroup": "3"}
    sort_spec = {"sortMode": "SORT_MODE_BY_TIME"}
    found = await page(services, "WebSearchService.Search", groupSpec=group_spec, sortSpec=sort_spec)

    groups = [[doc.findtext("domain") for doc in group.iter("doc")] for group in found.iter("group")]
    times = [group.findtext("doc/modtime") for group in found.iter("group")]
    assert [len(set(group)) for group in groups] == [1, 1, 1, 1]
    assert times == sorted(times, key=str, reverse=True)


async def test_a_deferred_search_gives_the_same_page(services: Services) -> None:
    """Behind an operation."""
    given = await services.done(await services.ask("WebSearchAsyncService.Search", query=RU))

    found = ElementTree.fromstring(base64.b64decode(given["rawData"]))
    assert urls(found) == urls(await page(services, "WebSearchService.Search"))


async def test_pictures_are_of_the_wanted_format_and_site(services: Services) -> None:
    """With the size of the original."""
    spec = {"format": "IMAGE_FORMAT_GIF"}
    found = await page(services, "ImageSearchService.Search", imageSpec=spec, site="example.org", docsOnPage="3")

    assert [kind.text for kind in found.iter("mime-type")] == ["gif"] * 3
    assert {domain.text for domain in found.iter("domain")} == {"example.org"}


async def test_an_id_stands_for_a_picture_that_was_sent(services: Services) -> None:
    """The same results, and further pages of them."""
    data = base64.b64encode(b"GIF8 a map").decode()
    sent = await services.ask("ImageSearchService.SearchByImage", data=data)

    again = await services.ask("ImageSearchService.SearchByImage", id=sent["id"])
    second = await services.ask("ImageSearchService.SearchByImage", id=sent["id"], page="1")

    assert again == sent
    assert (second["page"], sent["maxPage"]) == ("1", "2")
    assert second["images"] != sent["images"]


async def test_an_answer_names_its_sources(services: Services) -> None:
    """Those of the places that were asked for; partial results come before the whole."""
    messages = [{"content": "далеко до стоянки?", "role": "ROLE_USER"}]
    asked = {"messages": messages, "site": {"site": ["https://example.org/camps"]}}

    first, whole = await services.all("GenSearchService.Search", getPartialResults=True, **asked)

    assert whole["message"]["content"].startswith(first["message"]["content"])
    assert whole["message"]["content"].endswith("[1][2]")
    assert [source.get("used", False) for source in whole["sources"]] == [True, True, False, False, False]
    assert all(source["url"].startswith("https://example.org/") for source in whole["sources"])


async def test_statistics_fit_together(services: Services) -> None:
    """Shares make one, months follow each other, the regions are in the tree."""
    where = await services.ask("WordstatService.GetRegionsDistribution", phrase="стоянка", region="REGION_CITIES")
    dates = {"fromDate": "2026-01-01T00:00:00Z", "toDate": "2026-04-15T00:00:00Z"}
    when = await services.ask("WordstatService.GetDynamics", phrase="стоянка", period="PERIOD_MONTHLY", **dates)
    tree = await services.ask("WordstatService.GetRegionsTree")
    top = await services.ask("WordstatService.GetTop", phrase="стоянка", numPhrases="3", regions=["213"])

    cities = {city["id"] for land in tree["regions"] for part in land["children"] for city in part.get("children", [])}
    assert sum(row["share"] for row in where["results"]) == pytest.approx(1)
    assert [row["date"][:7] for row in when["results"]] == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert {row["region"] for row in where["results"]} == cities | {"157"}
    assert top["results"][0] == {"phrase": "стоянка", "count": top["totalCount"]}


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("WebSearchService.Search", {"query": {"searchType": "SEARCH_TYPE_RU"}}),
        ("WebSearchService.Search", {"query": {"queryText": "стоянка"}}),
        ("WebSearchService.Search", {"query": RU, "groupSpec": {"docsInGroup": "4"}}),
        ("WebSearchAsyncService.Search", {"query": {**RU, "queryText": "с" * 401}}),
        ("ImageSearchService.SearchByImage", {"data": "AAAA"}),
        ("WordstatService.GetTop", {"phrase": ""}),
        ("WordstatService.GetDynamics", {"phrase": "стоянка"}),
        ("ImageGenerationAsyncService.Generate", {"modelUri": "gpt://f/yandexgpt", "messages": [{"text": "река"}]}),
        ("ImageGenerationAsyncService.Generate", {"modelUri": f"art://{YANDEX_FOLDER}/yandex-art/latest"}),
    ],
)
async def test_what_no_search_can_do_is_refused(services: Services, method: str, fields: Any) -> None:
    """Before anything begins."""
    assert await services.status_of(method, **fields) == "INVALID_ARGUMENT"


async def test_a_picture_has_the_ratio_and_depends_on_the_seed(services: Services) -> None:
    """Its header tells the size."""

    async def drawn(seed: str) -> bytes:
        options = {"seed": seed, "aspectRatio": {"widthRatio": "2", "heightRatio": "1"}}
        asked = {"modelUri": f"art://{YANDEX_FOLDER}/yandex-art/latest", "messages": [{"text": "река"}]}
        begun = await services.ask("ImageGenerationAsyncService.Generate", generationOptions=options, **asked)
        return base64.b64decode((await services.done(begun))["image"])

    first, again, other = await drawn("1"), await drawn("1"), await drawn("2")

    height, width = struct.unpack(">HH", first[first.index(b"\xff\xc0") + 5 :][:4])
    assert (first == again, first == other) == (True, False)
    assert width / height == pytest.approx(2, rel=0.05)
