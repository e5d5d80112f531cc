"""How Yandex's /v1 differs from the OpenAI dialect."""

from __future__ import annotations

from typing import Final

from services.router.providers.openai_dialect.quirks import Quirks

QUIRKS: Final = Quirks(
    provider="yandexgpt",
    takes=frozenset({"frequency_penalty", "presence_penalty"}),
    efforts=("none", "low", "medium", "high"),
    takes_other_parts=False,
    rejects=frozenset({"audio", "web_search_options", "logit_bias"}),
    native_stop=False,
    native_choices=False,
    asks_for_usage=False,
    hottest=1.0,
    own_call_ids=False,
    filter_replaces=True,
    leaked_marker="[TOOL_CALL_END]",
)
