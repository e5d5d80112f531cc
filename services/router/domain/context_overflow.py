"""The error for prompts that are too long, worded so that clients recognise it and trim or switch models."""

from __future__ import annotations

import re
from typing import Final

_LIMIT: Final = re.compile(r"(?:no more than|maximum context length is|limit(?: of| is)?|max(?:imum)?:?) ?(\d{3,})")
_GOT: Final = re.compile(r"(?:got|resulted in|requested|input is) (?:about )?(\d{3,})")


def overflow_sentence(words: str, context_length: int) -> str:
    """Return the sentence with the provider's own words behind it; what it said of numbers counts more than ours.

    The code stands in it too: LangChain looks for it in the error's text, where the `openai` client of today no longer
    puts the fields beside the message.

    Args:
        words: what the provider said.
        context_length: the model's window, tokens.
    """
    limit, got = _LIMIT.search(words), _GOT.search(words)
    most = int(limit[1]) if limit else context_length
    size = f"your input is {got[1]} tokens" if got else "your input is longer"
    behind = f"context_length_exceeded: {words.rstrip('.')}."
    return f"This model's maximum context length is {most} tokens. However, {size}. ({behind})"
