"""Moments in the gateway's messages about people and models."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import notifications_pb2 as pb

from services.usage.notifications.rpc_messages import models_from_proto


def test_a_model_that_ends_beyond_the_calendar_ends_with_it() -> None:
    """It keeps nobody else's dates from being told."""
    message = pb.WatchedModel(model="gpt", shutdown_at=Timestamp(seconds=10**12))

    (model,) = models_from_proto([message])

    assert model.shutdown_at.year == datetime.max.year
