"""What to say at paths where clients look for something: other APIs' routes, and ours under a wrong base URL."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "There is nothing at this path."
_CHAT: Final = "POST /v1/chat/completions answers chats in OpenAI's form"
_OTHER_APIS: Final = {
    "/v1/responses": f"The Responses API is not served here. {_CHAT}: set the client to chat completions.",
    "/v1/messages": "Of Anthropic's Messages API there are POST /v1/messages and /v1/messages/count_tokens.",
}
_OURS: Final = ("/chat/completions", "/completions", "/embeddings", "/models")
_BASE_URL: Final = "The base URL of an OpenAI client ends in /v1 here, once."


def hint_at(path: str) -> str:
    """Return the sentence for a path at which nothing is."""
    for prefix, hint in _OTHER_APIS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return f"{NOTHING} {hint}"
    return f"{NOTHING} {_BASE_URL}" if path.endswith(_OURS) else NOTHING
