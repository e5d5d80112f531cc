"""Usage and costs in the shapes of OpenAI's API for organizations."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import statistics_pb2 as pb

from services.gateway.tests.analytics.test_routes import figures, make_admin
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge

DAY = 86_400
# 2026-11-01 00:00 UTC.
START = 1_793_491_200
USAGE = "/v1/organization/usage/completions"
COSTS = "/v1/organization/costs"


def row(day: int, *group: str, cost: int = 1_500_000) -> pb.StatsRow:
    return pb.StatsRow(starts_at=Timestamp(seconds=START + day * DAY), group=group, figures=figures(cost))


async def test_usage_comes_in_buckets_with_page_tokens(edge: Edge, backends: Backends) -> None:
    """Empty buckets too; the token leads to the next page, and the last page has none."""
    backends.statistics.stats = pb.DetailedStats(rows=[row(1, "yandexgpt:latest")])
    url = f"{USAGE}?start_time={START + 3_600}&end_time={START + 3 * DAY}&limit=2&group_by[]=model&group_by=project_id"

    first = (await edge.client.get(url)).json()
    second = (await edge.client.get(f"{url}&page={first['next_page']}")).json()

    assert [(each["start_time"], len(each["results"])) for each in first["data"]] == [(START, 0), (START + DAY, 1)]
    assert first["data"][1]["results"][0] == {
        "object": "organization.usage.completions.result",
        "input_tokens": 1_000,
        "output_tokens": 500,
        "input_cached_tokens": 0,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": 4,
        "model": "yandexgpt:latest",
        "api_key_id": None,
        "user_id": None,
        "project_id": None,
        "batch": None,
        "service_tier": None,
    }
    assert (first["object"], first["has_more"], first["data"][0]["object"]) == ("page", True, "bucket")
    assert (second["has_more"], second["next_page"], second["data"][0]["start_time"]) == (False, None, START + 2 * DAY)
    question = backends.statistics.asked[0].question
    assert ("endpoint", "chat.completions") in [(each.dimension, each.values[0]) for each in question.filters]


@pytest.mark.parametrize(
    ("of_first_day", "token", "buckets"),
    [(700, f"page_{START + DAY}_WyLQvNC-0LTQtdC70YwtOTk5Il0", 2), (1_000, f"page_{START + DAY}", 1)],
)
async def test_a_page_has_a_thousand_results_at_most(
    edge: Edge, backends: Backends, of_first_day: int, token: str, buckets: int
) -> None:
    """The bucket in which it ends comes again with the others; one that ends with it does not."""
    rows = [row(int(number >= of_first_day), f"модель-{number}") for number in range(1_001)]
    backends.statistics.stats = pb.DetailedStats(rows=rows)
    url = f"{USAGE}?start_time={START + 3_600}&end_time={START + 3 * DAY}&group_by=model"

    first = (await edge.client.get(url)).json()
    backends.statistics.stats = pb.DetailedStats(rows=rows[1_000:])
    second = (await edge.client.get(f"{url}&page={first['next_page']}")).json()

    assert (first["has_more"], first["next_page"], len(first["data"])) == (True, token, buckets)
    shown = [result["model"] for page in (first, second) for bucket in page["data"] for result in bucket["results"]]
    assert shown == [f"модель-{number}" for number in range(1_001)]
    assert (second["has_more"], second["data"][0]["start_time"]) == (False, START + DAY)
    asked = [each.question for each in backends.statistics.asked]
    assert [each.limit for each in asked] == [1_001] * 2
    assert (asked[0].HasField("after"), asked[1].HasField("after")) == (False, buckets == 2)
    assert list(asked[1].after.group) == (["модель-999"] if buckets == 2 else [])


async def test_costs_are_roubles_by_line_item(edge: Edge, backends: Backends) -> None:
    """A number as there, and exactly beside it."""
    backends.statistics.stats = pb.DetailedStats(rows=[row(0, "gigachat-pro")])

    body = (await edge.client.get(f"{COSTS}?start_time={START}&end_time={START + DAY}&group_by=line_item")).json()

    assert body["data"][0]["results"] == [
        {
            "object": "organization.costs.result",
            "amount": {"value": 1.5, "currency": "rub", "micro_rub": 1_500_000},
            "line_item": "gigachat-pro",
            "project_id": None,
        }
    ]


async def test_an_administrator_sees_everybody(edge: Edge, backends: Backends) -> None:
    """By the scope of the credential, as tools that know no parameter for it need; or some users."""
    make_admin(backends)

    await edge.client.get(f"{USAGE}?start_time={START}")
    await edge.client.get(f"{USAGE}?start_time={START}&user_ids=user-2")
    await edge.client.get(f"{USAGE}?start_time={START}&user_ids=user-2&user_ids=user-3")

    everybody, one, two = backends.statistics.asked
    assert [each.admin_user_id for each in (everybody, one, two)] == ["user-1"] * 3
    assert [each.of_user_id for each in (everybody, one, two)] == ["", "user-2", ""]
    assert ["user-2", "user-3"] in [list(each.values) for each in two.question.filters]


async def test_anybody_else_sees_its_own(edge: Edge, backends: Backends) -> None:
    """And may not name others."""
    await edge.client.get(f"{USAGE}?start_time={START}")
    refused = await edge.client.get(f"{USAGE}?start_time={START}&user_ids=user-2")

    assert [each.user_id for each in backends.statistics.asked] == ["user-1"]
    assert refused.json()["error"]["param"] == "user_ids"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "start_time"),
        (f"start_time={START}&bucket_width=1m", "bucket_width"),
        (f"start_time={START}&limit=181", "limit"),
        (f"start_time={START}&end_time={START}", "end_time"),
        ("start_time=1000000000&end_time=1100000000", "end_time"),
        ("start_time=99999999999", "start_time"),
        (f"start_time={START}&page=page_99999999999", "page"),
        (f"start_time={START}&group_by=colour", "group_by"),
        (f"start_time={START}&page=7", "page"),
        (f"start_time={START}&page=page_999999999999999", "page"),
        (f"start_time={START}&page=page_{START}_WyJhIl0", "page"),
        (f"start_time={START}&group_by=model&page=page_{START}_W10", "page"),
        (f"start_time={START}&group_by=model&page=page_{START}_WzFd", "page"),
        (f"start_time={START}&group_by=model&page=page_{START}_A", "page"),
        (f"start_time={START}&project_ids=p", "project_ids"),
        (f"start_time={START}&colour=red", "colour"),
        (f"start_time={START}&limit[]=1", "limit[]"),
    ],
)
async def test_a_bad_parameter_is_named(edge: Edge, query: str, param: str) -> None:
    """As everywhere."""
    got = await edge.client.get(f"{USAGE}?{query}")

    assert (got.status_code, got.json()["error"]["param"]) == (400, param)
