"""Token counts for answers whose provider does not say them."""

from __future__ import annotations

import math

from services.router.domain.catalog import Model
from services.router.domain.completion import Prompt, Usage


def estimate_tokens(characters: int, chars_per_token: float) -> int:
    """Return how many tokens a text of so many characters takes, rounded up."""
    return math.ceil(characters / max(chars_per_token, 0.1))


def estimate_usage(prompt: Prompt, model: Model, delivered_characters: int) -> Usage:
    """Return the usage of an answer as far as its length tells; marked as estimated."""
    characters = sum(len(message.content) for message in prompt.messages)
    characters += sum(len(part.text) for message in prompt.messages for part in message.parts)
    characters += sum(len(call.arguments) + len(call.name) for m in prompt.messages for call in m.tool_calls)
    characters += sum(len(tool.parameters_json) + len(tool.description) for tool in prompt.tools)
    template = model.tokens_per_message * len(prompt.messages)
    return Usage(
        prompt_tokens=estimate_tokens(characters, model.chars_per_token) + template,
        completion_tokens=estimate_tokens(delivered_characters, model.chars_per_token),
        estimated=True,
    )
