"""Differences between providers that speak the OpenAI dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """How a provider differs from the OpenAI dialect."""

    provider: str = "openai"
    """Label for metrics."""
    takes: frozenset[str] | None = None
    """Rare parameters that it takes; the others are left out. None: all but those it rejects."""
    efforts: Sequence[str] = ()
    """Reasoning efforts that it knows, least first; empty: whatever is said."""
    takes_other_parts: bool = True
    """It may know content parts that are neither text nor image."""
    rejects: frozenset[str] = frozenset()
    """Parameters that it does not take and that may not."""
    native_stop: bool = True
    """It cuts at stop sequences itself."""
    native_choices: bool = True
    """It makes n answers of one call."""
    asks_for_usage: bool = True
    """It takes stream_options.include_usage."""
    thoughts: str = ""
    """The field of a message in which it takes back what an earlier answer thought; empty: it does not."""
    longest_answer: str = "max_tokens"
    """What it calls the tokens of an answer at most: OpenAI's reasoning models know `max_completion_tokens` alone."""
    hottest: float = 2.0
    """Its largest temperature."""
    own_call_ids: bool = True
    """Its tool call ids can be told apart (Yandex gives the function's name)."""
    call_id_length: int = 0
    """Letters and digits that an id of a tool call must have (Mistral: 9); 0: any but a long one will do."""
    filter_replaces: bool = False
    """The piece with which its filter ends an answer is the whole text."""
    leaked_marker: str = ""
    """Control text that leaks into the content after a forced call."""
