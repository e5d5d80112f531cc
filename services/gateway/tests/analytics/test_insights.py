"""Patterns, anomalies and recommendations over HTTP: what usage is told and asked, and how answers look."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2
from razvilka.usage.v1 import insights_pb2 as pb

from services.gateway.tests.backends import KEY, SCOPES, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.insights_backend import ADVICE, INCIDENT

CREATED = Timestamp(seconds=1_700_000_000)
WRITES = ("profile:write",)


def allow(backends: Backends, *more: str, **changes: Any) -> None:
    backends.auth.callers[KEY] = caller(scopes=(*SCOPES, *more), **changes)


async def get(edge: Edge, path: str) -> dict[str, Any]:
    answer = await edge.client.get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_patterns_have_texts_figures_and_savings(edge: Edge, backends: Backends) -> None:
    """Both languages; money under both of its names; what is about all usage has no subject."""
    body = await get(edge, "/v1/usage/patterns?tz=Europe/Moscow")

    assert (body["object"], body["time_zone"], body["analysed_at"]) == (
        "usage.patterns",
        "Europe/Moscow",
        "2026-11-23T12:00:00Z",
    )
    cheaper, peak = body["data"]
    assert cheaper["text"] == {"ru": "Дорого.", "en": "Dear."}
    assert cheaper["evidence"] == {"share": 0.68, "saving": -4_120_000_000, "other": "yandexgpt-lite:latest"}
    assert cheaper["saving"]["min_rub"] == "2060.000000"
    assert cheaper["saving"]["max_micro_rub"] == 4_120_000_000
    assert (peak["subject"], peak["saving"]) == (None, None)
    assert backends.insights.asked[0].zone == "Europe/Moscow"


async def test_usage_is_told_active_keys_and_budgets(edge: Edge, backends: Backends) -> None:
    """It asks nobody itself; revoked, disabled and expired keys are nobody's, a lifetime budget begins never anew.

    Nothing happens when one that only watches is reached.
    """
    watching, month = auth_pb2.CAP_MODE_SHADOW, auth_pb2.BUDGET_PERIOD_MONTH
    budgets = [
        auth_pb2.Budget(subject="user:user-1", period=month, limit_micro_rub=1_000_000, mode=watching),
        auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_MONTH, limit_micro_rub=5_000_000),
        auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=9_000_000),
        auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_MONTH, limit_micro_rub=7_000_000),
    ]
    allow(backends, "keys:read", budgets=budgets)
    backends.auth.keys = [
        backends.auth.key(created_at=CREATED, last_used_at=CREATED),
        backends.auth.key(id="revoked", created_at=CREATED, revoked_at=CREATED),
        backends.auth.key(id="off", created_at=CREATED, disabled=True),
        backends.auth.key(id="over", created_at=CREATED, expires_at=CREATED),
        backends.auth.key(id="never", name="ci", created_at=CREATED),
    ]

    await get(edge, "/v1/usage/patterns")

    (asked,) = backends.insights.asked
    assert [(key.key_id, key.HasField("last_used_at")) for key in asked.keys] == [("key-1", True), ("never", False)]
    assert [(limit.name, limit.limit_micro_rub) for limit in asked.limits] == [("month", 5_000_000)]
    assert asked.limits[0].spent_micro_rub == backends.usage.spend


async def test_a_credential_that_may_not_list_keys_has_none_looked_at(edge: Edge, backends: Backends) -> None:
    """The scope of the question is not widened."""
    await get(edge, "/v1/usage/patterns")

    assert not backends.insights.asked[0].keys
    assert backends.insights.shown[0]


@pytest.mark.parametrize(
    ("models", "other", "is_told"),
    [
        ((), "gigachat-pro", True),
        (("yandexgpt", "gigachat/pro"), "gigachat-pro", True),
        (("yandexgpt",), "gigachat-pro", False),
        (("yandexgpt",), "gone-from-the-catalogue", False),
    ],
)
async def test_no_model_is_advised_that_the_credential_may_not_call(
    edge: Edge, backends: Backends, models: tuple[str, ...], other: str, is_told: bool
) -> None:
    """Whoever went over to it was only refused; what was decided on is told whoever may do it."""
    allow(backends, models=models)
    backends.insights.finding.evidence[2].text = other
    backends.insights.advice.finding.CopyFrom(backends.insights.finding)

    patterns, new = [(await get(edge, f"/v1/usage/{what}"))["data"] for what in ("patterns", "recommendations")]
    backends.insights.advice.state = pb.ADVICE_STATE_ACCEPTED
    accepted = (await get(edge, "/v1/usage/recommendations"))["data"]

    assert [each["pattern"] for each in patterns] == [*(["cheaper_model"] if is_told else []), "peak_hours"]
    assert [each["id"] for each in new] == ([ADVICE] if is_told else [])
    assert [each["id"] for each in accepted] == [ADVICE]


async def test_anomalies_have_a_cause_and_can_be_called_expected(edge: Edge, backends: Backends) -> None:
    """Exact amounts; the last word counts."""
    allow(backends, *WRITES)

    (found,) = (await get(edge, "/v1/usage/anomalies?from=2026-11-01&to=2026-11-28&limit=7&tz=UTC"))["data"]
    said = await edge.client.post(f"/v1/usage/anomalies/{INCIDENT}/feedback", json={"feedback": "expected"})

    assert (found["grain"], found["actual_rub"], found["feedback"]) == ("day", "900.000001", None)
    assert found["cause"]["value"] == "key-2"
    asked, feedback = backends.insights.asked
    assert (asked.since.seconds, asked.limit) == (1_793_491_200, 7)
    assert (said.json()["feedback"], feedback.feedback) == ("expected", pb.FEEDBACK_EXPECTED)


async def test_advice_is_listed_and_decided_on(edge: Edge, backends: Backends) -> None:
    """What is new and accepted unless a state is asked for."""
    allow(backends, *WRITES)

    (advice,) = (await get(edge, "/v1/usage/recommendations"))["data"]
    await get(edge, "/v1/usage/recommendations?state=done&state=dismissed")
    decided = await edge.client.post(
        f"/v1/usage/recommendations/{ADVICE}", json={"state": "dismissed", "reason": "Нужно качество."}
    )

    assert (advice["id"], advice["state"], advice["realised_rub"]) == (ADVICE, "new", None)
    assert (decided.json()["state"], decided.json()["reason"]) == ("dismissed", "Нужно качество.")
    open_ones, closed_ones, decision = backends.insights.asked
    assert list(open_ones.states) == [pb.ADVICE_STATE_NEW, pb.ADVICE_STATE_ACCEPTED]
    assert list(closed_ones.states) == [pb.ADVICE_STATE_DONE, pb.ADVICE_STATE_DISMISSED]
    assert decision.state == pb.ADVICE_STATE_DISMISSED


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/usage/patterns?tz=Mars/Base", "tz"),
        ("/v1/usage/patterns?zone=UTC", "zone"),
        ("/v1/usage/anomalies?period=8d", "period"),
        ("/v1/usage/anomalies?limit=0", "limit"),
        ("/v1/usage/anomalies?to=2026-11-01", "from"),
        ("/v1/usage/recommendations?state=open", "state"),
        ("/v1/usage/recommendations?states=new", "states"),
    ],
)
async def test_a_wrong_parameter_is_named(edge: Edge, path: str, param: str) -> None:
    """400, and what is allowed."""
    answer = await edge.client.get(path)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/v1/usage/anomalies/{INCIDENT}/feedback", {"feedback": "perhaps"}),
        (f"/v1/usage/anomalies/{INCIDENT}/feedback", {}),
        (f"/v1/usage/recommendations/{ADVICE}", {"state": "gone"}),
        (f"/v1/usage/recommendations/{ADVICE}", {"state": "done", "because": "x"}),
        (f"/v1/usage/recommendations/{ADVICE}", {"state": "done", "reason": "x" * 501}),
    ],
)
async def test_a_wrong_body_is_refused(edge: Edge, backends: Backends, path: str, body: dict[str, str]) -> None:
    """Nothing of it reaches usage."""
    allow(backends, *WRITES)

    answer = await edge.client.post(path, json=body)

    assert answer.status_code == 400
    assert backends.insights.asked == []


async def test_whoever_may_only_read_decides_nothing(edge: Edge, backends: Backends) -> None:
    """Feedback and decisions take `profile:write`."""
    feedback = await edge.client.post(f"/v1/usage/anomalies/{INCIDENT}/feedback", json={"feedback": "expected"})
    decision = await edge.client.post(f"/v1/usage/recommendations/{ADVICE}", json={"state": "done"})

    assert (feedback.status_code, decision.status_code) == (403, 403)
    assert backends.insights.asked == []


async def test_an_anomaly_that_is_not_there_is_not_found(edge: Edge, backends: Backends) -> None:
    """Or is somebody else's."""
    allow(backends, *WRITES)

    answer = await edge.client.post("/v1/usage/anomalies/none/feedback", json={"feedback": "expected"})

    assert answer.status_code == 404
