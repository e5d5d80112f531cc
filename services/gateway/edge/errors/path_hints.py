"""What to say at paths where clients look for something: other APIs' routes, and ours under a wrong base URL."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "There is nothing at this path."
_OTHER_APIS: Final = {
    "/v1/responses": (
        "Of the Responses API there are POST /v1/responses and /v1/responses/input_tokens, GET and DELETE of one, and "
        "its input items."
    ),
    "/v1/files": (
        "Of the files API there are GET and POST /v1/files (for batches), GET and DELETE of one, and its content: give "
        "files for a question with it, as a `data:` URL or an https address."
    ),
    "/v1/batches": "Of the batches API there are GET and POST /v1/batches, GET of one, and POST of its /cancel.",
    "/v1/uploads": "Files are uploaded in one request here: POST /v1/files.",
    "/v1/messages": "Of Anthropic's Messages API there are POST /v1/messages and /v1/messages/count_tokens.",
}
_NOT_HERE: Final = (
    *("assistants", "audio", "containers", "conversations", "evals", "fine_tuning", "images", "moderations"),
    *("organization/audit_logs", "realtime", "threads", "uploads", "vector_stores", "videos"),
)
_OF_OPENAI: Final = (
    "Of OpenAI's API there are chat completions, responses, completions, embeddings, models, files and batches."
)
_OURS: Final = ("/chat/completions", "/completions", "/responses", "/embeddings", "/models", "/files", "/batches")
_ANTHROPICS: Final = ("/messages", "/messages/count_tokens")
_ANTHROPICS_BASE_URL: Final = "The base URL of an Anthropic client has no /v1 here: it asks for /v1/messages by itself."
_BASE_URL: Final = "The base URL of an OpenAI client ends in /v1 here, once."


def hint_at(path: str) -> str:
    """Return the sentence for a path at which nothing is."""
    for prefix, hint in _OTHER_APIS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return f"{NOTHING} {hint}"
    if path.removeprefix("/v1/").startswith(_NOT_HERE):
        return f"{NOTHING} {_OF_OPENAI}"
    if path.endswith(_ANTHROPICS):
        return f"{NOTHING} {_ANTHROPICS_BASE_URL}"
    return f"{NOTHING} {_BASE_URL}" if path.endswith(_OURS) else NOTHING
