"""The paths of the hot routes, and those of models, which are asked in two forms."""

from __future__ import annotations

from typing import Final

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
