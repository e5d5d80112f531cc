"""Insights over real gRPC, on rows in which every pattern shows."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from razvilka.usage.v1 import insights_pb2 as pb
from razvilka.usage.v1.insights_pb2_grpc import InsightsServiceStub

from servicekit.errors import InvalidRequest, NotFound
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from servicekit.testing.ready_channel import ready_channel
from services.usage.catalog_facts.store import FactsStore
from services.usage.ingest import Ingest
from services.usage.insights.domain.advice import State
from services.usage.insights.domain.incident import Feedback, Grain
from services.usage.insights.rpc_messages import FEEDBACK_TO_PROTO, GRAIN_TO_PROTO, STATE_TO_PROTO
from services.usage.server import running
from services.usage.settings import IngestSettings, UsageSettings
from services.usage.store import UsageStore
from services.usage.tests.insights.story import MODELS, eventful, write
from services.usage.tests.records import LONG_S
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn

USER = "user-1"


@pytest.fixture
async def stub(make_database_dsn: MakeDatabaseDsn, clock: FakeClock) -> AsyncIterator[Any]:
    """Yield a stub of the running service, whose database has an eventful user."""
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=0) as pool:
        await FactsStore(pool).put(MODELS)
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(7))
        await write(ingest, USER, eventful)
    settings = UsageSettings(postgres=postgres_settings(dsn))
    async with running(settings, clock=clock) as port, ready_channel(port) as channel:
        yield InsightsServiceStub(channel)


async def test_what_was_found_is_told_and_decided_on(stub: Any) -> None:
    """Patterns with texts, evidence and savings; an incident that was expected; advice that is dismissed."""
    idle = pb.KeyUse(key_id="key-9", name="ci-old")
    idle.created_at.FromDatetime(MIDDAY.replace(year=2025))
    asked = pb.GetPatternsRequest(user_id=USER, zone="Europe/Moscow", keys=[idle])
    patterns = await unary(stub.GetPatterns, asked, deadline_s=LONG_S)
    span = pb.ListIncidentsRequest(user_id=USER, limit=10)
    span.since.FromDatetime(MIDDAY.replace(month=1))
    span.until.FromDatetime(MIDDAY)
    (incident,) = (await unary(stub.ListIncidents, span, deadline_s=LONG_S)).incidents
    listed = pb.ListRecommendationsRequest(user_id=USER, states=[pb.ADVICE_STATE_NEW])
    advice = (await unary(stub.ListRecommendations, listed, deadline_s=LONG_S)).recommendations[0]

    said = pb.GiveFeedbackRequest(user_id=USER, incident_id=incident.id, feedback=pb.FEEDBACK_EXPECTED)
    feedback = await unary(stub.GiveFeedback, said, deadline_s=LONG_S)
    order = pb.DecideRecommendationRequest(
        user_id=USER, recommendation_id=advice.id, state=pb.ADVICE_STATE_DISMISSED, reason="Нужно качество."
    )
    decided = await unary(stub.DecideRecommendation, order, deadline_s=LONG_S)

    found = {finding.pattern: finding for finding in patterns.findings}
    assert found["idle_key"].text.ru.startswith("Ключ ci-old не используется")
    assert found["cheaper_model"].saving.max_micro_rub > found["cheaper_model"].saving.min_micro_rub > 0
    assert {figure.name for figure in found["peak_hours"].evidence} == {"hours", "zone", "share"}
    assert (incident.grain, incident.text.en[:14]) == (pb.GRAIN_DAY, "On 22 Nov 2026")
    assert feedback.incident.feedback == pb.FEEDBACK_EXPECTED
    assert (decided.recommendation.state, decided.recommendation.reason) == (
        pb.ADVICE_STATE_DISMISSED,
        "Нужно качество.",
    )


async def test_what_cannot_be_answered_is_refused_by_name(stub: Any) -> None:
    """A zone, a limit, no feedback, no state; and nothing of others."""
    refused = [
        (stub.GetPatterns, pb.GetPatternsRequest(user_id=USER, zone="Mars/Base"), "tz"),
        (stub.GetPatterns, pb.GetPatternsRequest(user_id=USER, zone="../etc/passwd"), "tz"),
        (stub.ListIncidents, pb.ListIncidentsRequest(user_id=USER), "limit"),
        (stub.GiveFeedback, pb.GiveFeedbackRequest(user_id=USER, incident_id="x"), "feedback"),
        (stub.DecideRecommendation, pb.DecideRecommendationRequest(user_id=USER, recommendation_id="x"), "state"),
    ]
    for method, request, param in refused:
        with pytest.raises(InvalidRequest) as caught:
            await unary(method, request, deadline_s=LONG_S)
        assert caught.value.param == param
    said = pb.GiveFeedbackRequest(user_id=USER, incident_id="x", feedback=pb.FEEDBACK_EXPECTED)
    with pytest.raises(NotFound):
        await unary(stub.GiveFeedback, said, deadline_s=LONG_S)


def test_every_value_has_a_number_on_the_wire() -> None:
    """A new one must not be forgotten."""
    assert STATE_TO_PROTO.keys() == set(State)
    assert FEEDBACK_TO_PROTO.keys() == set(Feedback)
    assert GRAIN_TO_PROTO.keys() == set(Grain)
