"""Chats whose bills are known, and callers with little left, for the tests of bills."""

from __future__ import annotations

from typing import Any

from razvilka.auth.v1 import auth_pb2

from services.gateway.tests.backends import caller

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


IN, OUT = 200, 400  # micro-roubles a token


WORDS = "Скажи привет"


BOUND = len(WORDS) + 16 + 8  # the most tokens that this prompt can be


def chat(**changes: Any) -> dict[str, Any]:
    """Return a chat body, answered with ten tokens at most."""
    return {"model": "yandexgpt", "messages": [{"role": "user", "content": WORDS}], "max_tokens": 10, **changes}


def capped(micro_rub: int, period: auth_pb2.BudgetPeriod.ValueType = auth_pb2.BUDGET_PERIOD_DAY) -> auth_pb2.Caller:
    """Return a caller with a budget of which 1,250,000 micro-roubles are spent."""
    budget = auth_pb2.Budget(subject="user:user-1", period=period, limit_micro_rub=1_250_000 + micro_rub)
    return caller(budgets=[budget])
