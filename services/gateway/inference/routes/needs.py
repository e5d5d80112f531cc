"""What the routes of inference need."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs, Open, Scope
from services.gateway.inference.paths import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    INPUT_TOKENS,
    MESSAGES,
    MODEL,
    MODELS,
    RESPONSES,
    TOKENIZE,
)

NEEDS: Final[Needs] = {
    CHAT: Scope.COMPLETIONS_WRITE,
    COMPLETIONS: Scope.COMPLETIONS_WRITE,
    EMBEDDINGS: Scope.EMBEDDINGS_WRITE,
    MESSAGES: Scope.COMPLETIONS_WRITE,
    RESPONSES: Scope.COMPLETIONS_WRITE,
    INPUT_TOKENS: Scope.COMPLETIONS_WRITE,
    "/v1/responses/{response_id}": Scope.COMPLETIONS_WRITE,
    "/v1/responses/{response_id}/input_items": Scope.COMPLETIONS_WRITE,
    TOKENIZE: Scope.COMPLETIONS_WRITE,
    COUNT_TOKENS: Scope.COMPLETIONS_WRITE,
    MODELS: Scope.MODELS_READ,
    MODEL: Scope.MODELS_READ,
    "/v1/parameters/{model_id:path}": Scope.MODELS_READ,
    "/v1/generation": Scope.USAGE_READ,
    "/v1/requests/{request_id}": Scope.USAGE_READ,
    "/v1/providers/status": Scope.MODELS_READ,
    "/health/providers": Open.EVERYONE,
}
