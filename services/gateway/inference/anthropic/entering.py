"""How callers of Anthropic's API come in: where their key is, and in which form they read errors."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from servicekit.errors import ErrorReason, Unauthenticated
from services.gateway.edge.origin import header
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.anthropic.errors import error_body
from services.gateway.inference.paths import COUNT_TOKENS, MESSAGES

_TWO_KEYS: Final = "`x-api-key` and `Authorization` hold different credentials: send one (field `x-api-key`)."


def speaks_anthropic(scope: Scope) -> bool:
    """Tell whether it is one of Anthropic's clients: all of them say which version of the API they mean."""
    return bool(header(scope, b"anthropic-version"))


def is_anthropic(path: str) -> bool:
    """Tell whether a path is one of the Messages API, also where nothing is, or under a wrong base URL."""
    return path.startswith(f"{MESSAGES}/") or path.endswith((MESSAGES, COUNT_TOKENS))


def speak_anthropic(context: RequestContext) -> None:
    """Say errors in Anthropic's form, and the request's id in its header."""
    context.error_form = error_body
    context.headers.append((b"request-id", context.request_id.encode()))


def enter(context: RequestContext) -> None:
    """Take the key from `x-api-key` too, and say errors in Anthropic's form.

    Raises:
        Unauthenticated: there are two different credentials: which one counts would be a guess.
    """
    speak_anthropic(context)
    keys = [value for name, value in context.scope["headers"] if name == b"x-api-key" and value]
    if not keys:
        return
    bearers = {b"Bearer " + key for key in keys}
    if len(bearers | {context.authorization} - {b""}) > 1:
        raise Unauthenticated(ErrorReason.AUTH_REQUIRED, _TWO_KEYS, param="x-api-key")
    context.authorization = bearers.pop()
