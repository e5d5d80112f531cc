"""Limits of one request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request.

    Attributes:
        first_token_s: seconds until the first content of a stream, for each attempt.
        choices_max: the largest `n`.
        answer_s: seconds for all attempts together: until a whole answer, or the first content of a stream. While
            another model is left to ask, one attempt takes half of what is left at most.
        tokenizer_s: seconds in which a provider's tokenizer may count an answer whose usage was not said; 0: not asked.
        tokenizer_cache: counts that are remembered.
    """

    first_token_s: float
    choices_max: int
    answer_s: float
    tokenizer_s: float
    tokenizer_cache: int
