"""The rules whose breach GigaChat answers with 422."""

from typing import Any, Final

import msgspec

from emulator.gigachat.schema_rules import BrokenRuleError

ROLES: Final = ("system", "user", "assistant", "function", "search_result")


def check_ranges(body: dict[str, Any]) -> None:
    """Check numeric parameters."""
    for name in ("temperature", "repetition_penalty"):
        value = body.get(name)
        if value is not None and (not isinstance(value, int | float) or value <= 0):
            raise BrokenRuleError(f"Invalid params: {name} must be in range (0, +inf)")
    top_p = body.get("top_p")
    if top_p is not None and (not isinstance(top_p, int | float) or not 0 <= top_p <= 1):
        raise BrokenRuleError("Invalid params: top_p must be in range [0, 1]")
    max_tokens = body.get("max_tokens")
    if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens <= 0):
        raise BrokenRuleError("Invalid params: max_tokens must be in range (0, +inf)")
    if not 1 <= (body.get("n") or 1) <= 4:
        raise BrokenRuleError("Invalid params: n must be in range [1, 4]")


def check_order(messages: list[dict[str, Any]], *, ends: bool = True) -> None:
    """Check roles, the place of the system message and that each function call has its result.

    A history that does not end here may leave its last call without one.
    """
    waiting: str | None = None
    for place, message in enumerate(messages):
        role = message.get("role")
        if role not in ROLES:
            raise BrokenRuleError(f"Invalid params: unknown role {role}")
        if role == "system" and place:
            raise BrokenRuleError("Invalid params: system message must be the first message")
        if not isinstance(message.get("content", ""), str):
            raise BrokenRuleError("Invalid params: content must be a string")
        waiting = _next_waiting(message, role, waiting)
    if waiting is not None and ends:
        raise BrokenRuleError("every assistant function call must have a result in history")


def _next_waiting(message: dict[str, Any], role: str, waiting: str | None) -> str | None:
    if role == "function":
        if waiting is None:
            raise BrokenRuleError("function result must follow an assistant function call")
        if message.get("name") not in (None, waiting):
            raise BrokenRuleError("function result name differs from the function call")
        _check_result(str(message.get("content", "")))
        return None
    if waiting is not None:
        raise BrokenRuleError("every assistant function call must have a result in history")
    call = message.get("function_call")
    return str(call.get("name")) if role == "assistant" and call else None


def _check_result(content: str) -> None:
    try:
        msgspec.json.decode(content.encode())
    except msgspec.DecodeError:
        text = f"INVALID_PARAMS: invalid function result for function json string `{content}`"
        raise BrokenRuleError(text) from None
