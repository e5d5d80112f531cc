"""Normalises finish reasons: an answer with tool calls ends with them, whatever the provider calls it."""

from __future__ import annotations

from services.router.domain.completion import FinishReason


def ended_with(finish: FinishReason, *, has_calls: bool) -> FinishReason:
    """Return the finish reason of an answer: agents do what it says, and look for calls where it names them.

    GigaChat says `function_call` of functions of its own, too. What was cut off or filtered says so, calls or not: they
    may be half of what was meant.
    """
    if finish in (FinishReason.STOP, FinishReason.TOOL_CALLS):
        return FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP
    return finish
