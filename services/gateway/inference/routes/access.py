"""What the routes of inference need, and the paths of the hot ones."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs, Open, Scope

CHAT: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"
TOKENIZE: Final = "/v1/tokenize"
INPUT_TOKENS: Final = "/v1/responses/input_tokens"
COUNT_TOKENS: Final = "/v1/messages/count_tokens"

MODELS: Final = "/v1/models"
MODEL: Final = "/v1/models/{model_id:path}"
# Where Anthropic's clients ask too, and are answered in their form.
BOTH_SPEAK: Final = frozenset((MODELS, MODEL))

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
