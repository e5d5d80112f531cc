"""Validates a provider's token counts: what is not a valid count is unknown, never guessed."""

from __future__ import annotations

from typing import Any, Final

from services.router import metrics
from services.router.domain.completion import Usage

# What the books can hold. A larger claim is passed on as this one: whether it is plausible the gateway knows.
MAX_TOKENS: Final = 2**31 - 1


def usage_of(prompt: Any, completion: Any, *, cached: Any = None, reasoning: Any = None) -> Usage | None:
    """Return the usage that a provider says; None when it says none that can be one. Absent parts are zero.

    Cached tokens are at most the prompt's and reasoning at most the completion's, whatever is said.
    """
    tokens_in, tokens_out = token_count(prompt), token_count(completion)
    if tokens_in is None or tokens_out is None:
        metrics.BAD_USAGE.inc()
        return None
    hit, thought = token_count(cached), token_count(reasoning)
    if hit is None or thought is None or hit > tokens_in or thought > tokens_out:
        metrics.BAD_USAGE.inc()
    return Usage(tokens_in, tokens_out, min(hit or 0, tokens_in), min(thought or 0, tokens_out))


def token_count(value: Any) -> int | None:
    """Return the count that JSON says: a number or a text of digits, absent as zero; None when it is none."""
    if value is None:
        return 0
    if type(value) is str:
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
    elif type(value) is float and value.is_integer():
        value = int(value)
    # By the very type: true is an int, too.
    return min(value, MAX_TOKENS) if type(value) is int and value >= 0 else None
