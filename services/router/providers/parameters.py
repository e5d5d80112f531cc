"""What becomes of OpenAI parameters that an adapter does not map: dropped and named, or rejected."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec

from services.router.domain.completion import Message, Prompt
from services.router.providers import failures

# What a caller would parse, or what changes the meaning of the answer.
REJECTED: Final = frozenset({"logit_bias", "audio", "web_search_options"})
_NOTHING: Final = frozenset({b"", b"null"})
# Values that ask for what happens anyway: neither worth a header nor a refusal.
_NEUTRAL: Final[dict[str, frozenset[bytes]]] = {
    "logit_bias": frozenset({b"{}"}),
    "logprobs": frozenset({b"false"}),
    "top_logprobs": frozenset({b"0"}),
    "frequency_penalty": frozenset({b"0", b"0.0"}),
    "presence_penalty": frozenset({b"0", b"0.0"}),
    "store": frozenset({b"false"}),
}


def is_given(name: str, raw: bytes) -> bool:
    """Tell whether a parameter asks for anything."""
    value = raw.strip()
    return value not in _NOTHING and value not in _NEUTRAL.get(name, _NOTHING)


def sort_out(prompt: Prompt, provider: str, dropped: list[str], mapped: Collection[str] = ()) -> None:
    """Name in `dropped` what is left out of `prompt.other_json`; `mapped` is handled elsewhere.

    Raises:
        InvalidRequest: a parameter that must not be ignored.
    """
    for name, raw in prompt.other_json.items():
        if name in mapped or not is_given(name, raw):
            continue
        if name in REJECTED:
            raise failures.unsupported(name, provider)
        if name == "modalities" and b'"audio"' in raw:
            raise failures.unsupported(name, provider, "it answers with text only")
        dropped.append(name)


def clamped(name: str, value: float, least: float, most: float, dropped: list[str]) -> float:
    """Return `value` within the provider's bounds; when it is another one, name it in `dropped` with what it became."""
    fitting = min(max(value, least), most)
    if fitting != value:
        dropped.append(f"{name}={fitting:g}")
    return fitting


def plain_text(message: Message, at: int, provider: str) -> str:
    """Return a message's text; its text parts are joined by newlines.

    Raises:
        InvalidRequest: a part that is not text.
    """
    if not message.parts:
        return message.content
    for number, part in enumerate(message.parts):
        if part.type != "text":
            raise failures.unsupported(f"messages[{at}].content[{number}].type", provider, f"'{part.type}' parts")
    return "\n".join(part.text for part in message.parts)


def json_value(raw: bytes, param: str) -> Any:
    """Return the value of JSON text that the caller sent.

    Raises:
        InvalidRequest: it is no JSON.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise failures.invalid(param, f"'{param}' is not valid JSON.") from exc


def json_object(raw: bytes, param: str) -> dict[str, Any]:
    """Return the value of a JSON object that the caller sent.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    value = json_value(raw, param)
    if not isinstance(value, dict):
        raise failures.invalid(param, f"'{param}' must be a JSON object.")
    return value


def call_arguments(arguments: str, param: str) -> dict[str, Any]:
    """Return a tool call's arguments as an object; none at all means no arguments.

    Raises:
        InvalidRequest: they are no JSON object.
    """
    return json_object(arguments.encode(), param) if arguments.strip() else {}


def arguments_text(arguments: Any) -> str:
    """Return OpenAI's JSON text of arguments that came as an object, or as text already."""
    if isinstance(arguments, str):
        return arguments
    return msgspec.json.encode(_integral(arguments if arguments is not None else {})).decode()


def _integral(value: Any) -> Any:
    """Return `value` with integral doubles as integers: a protobuf Struct knows doubles only."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return value
