"""Where speakers of the OpenAI dialect differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """Where a speaker of the dialect differs."""

    provider: str = "openai"
    """Label for metrics."""
    drops: frozenset[str] = frozenset()
    """Parameters that it does not take and that may be left out."""
    rejects: frozenset[str] = frozenset()
    """Parameters that it does not take and that may not."""
    native_stop: bool = True
    """It cuts at stop sequences itself."""
    native_choices: bool = True
    """It makes n answers of one call."""
    asks_for_usage: bool = True
    """It takes stream_options.include_usage."""
    hottest: float = 2.0
    """Its largest temperature."""
    own_call_ids: bool = True
    """Its tool call ids can be told apart (Yandex gives the function's name)."""
    leaked_marker: str = ""
    """Control text that leaks into the content after a forced call."""
