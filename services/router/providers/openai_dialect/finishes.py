"""Finish reasons of the OpenAI dialect."""

from __future__ import annotations

from typing import Final

from services.router import metrics
from services.router.domain.completion import FinishReason
from services.router.providers import failures

FINISH_OF: Final[dict[str, FinishReason]] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    # TGI.
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    # Mistral, GLM, and gateways before Anthropic's models.
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "sensitive": FinishReason.CONTENT_FILTER,
}
# The model did not get to its end: DeepSeek had no room, OpenRouter, Mistral and GLM failed, vLLM and SGLang gave up.
_FAILED: Final = frozenset({"error", "insufficient_system_resource", "network_error", "abort"})


def finish_of(reason: str, provider: str) -> FinishReason:
    """Return why an answer ended; what nobody knows is an end like any other, and counted.

    Raises:
        ProviderFailed: it broke off.
    """
    known = FINISH_OF.get(reason)
    if known is not None:
        return known
    if reason in _FAILED:
        raise failures.broken("The provider's answer broke off.")
    metrics.UNKNOWN_FINISHES.labels(provider).inc()
    return FinishReason.STOP
