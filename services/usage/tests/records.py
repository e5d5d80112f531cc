"""Records for tests: valid ones, to be changed with `dataclasses.replace`."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import COLUMNS, EPOCH, Attempt, Source, Status, UsageRecord

# Longer than any machine needs: a test that waits so long has failed, not been slow.
LONG_S = 120.0


def request_id(number: int, at: datetime = MIDDAY) -> str:
    """Return the UUIDv7 of a moment; the same number and moment give the same id."""
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    low = random.Random(number).getrandbits(62)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | (number & 0xFFF) << 64 | 2 << 62 | low))


def record(number: int = 1, at: datetime = MIDDAY) -> UsageRecord:
    """Return a completed request with an answer and a price; a column not named here has the sample of its type."""
    named: dict[str, Any] = {
        "request_id": request_id(number, at),
        "user_id": "user-1",
        "key_id": "key-1",
        "grant_id": "",
        "client_id": "",
        "provider": "yandexgpt",
        "model": "yandexgpt-lite:latest",
        "requested_model": "yandexgpt-lite",
        "resolved_model": "yandexgpt-5-lite",
        "endpoint": "chat.completions",
        "tokens_input": 100,
        "tokens_output": 50,
        "tokens_cached": 10,
        "tokens_reasoning": 5,
        "cost_micro_rub": 30_000,
        "price_version": "2026-08-01",
        "status": Status.COMPLETED,
        "source": Source.PROVIDER,
        "finish_reason": "stop",
        "error_code": "",
        "stream": True,
        "http_status": 200,
        "latency_ms": 900,
        "first_token_ms": 300,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "attempts": (Attempt("yandexgpt", "yandexgpt-5-lite", "", 900),),
        "started_at": at,
        "metadata": {"team": "search"},
        "fallbacks": 1,
    }
    samples: dict[str, Any] = {
        "text": "text",
        "integer": 7,
        "bigint": 8,
        "boolean": True,
        "timestamptz": at,
        "bytea": b"digest",
    }
    values: dict[str, Any] = {column.name: samples.get(column.sql_type) for column in COLUMNS}
    return UsageRecord(**(values | named))


def full_record(number: int = 1) -> UsageRecord:
    """Return a record with something in every field."""
    return replace(record(number), grant_id="grant-1", client_id="client-1", error_code="provider_timeout")
