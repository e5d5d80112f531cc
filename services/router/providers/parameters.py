"""OpenAI parameters that an adapter does not map: dropped and named, or rejected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from servicekit.errors import ServiceError, invalid_parameter
from services.router.domain.catalog import Model
from services.router.domain.completion import EmbeddingInput, Message, Prompt, Tool, Vectors
from services.router.domain.tool_call_id import stand_in
from services.router.providers import failures

# What a caller would parse, or what changes the meaning of the answer.
REJECTED: Final = frozenset({"logit_bias", "audio", "web_search_options"})
# Where the text of arguments stands that are no JSON object.
UNREADABLE: Final = "unreadable_arguments"
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
_NOTHING: Final = frozenset({b"", b"null"})
# Values that ask for what happens anyway: neither worth a header nor a refusal.
_NEUTRAL: Final[dict[str, frozenset[bytes]]] = {
    "logit_bias": frozenset({b"{}"}),
    "logprobs": frozenset({b"false"}),
    "top_logprobs": frozenset({b"0"}),
    "frequency_penalty": frozenset({b"0", b"0.0"}),
    "presence_penalty": frozenset({b"0", b"0.0"}),
    "repetition_penalty": frozenset({b"1", b"1.0"}),
    "flags": frozenset({b"[]"}),
    "store": frozenset({b"false"}),
}


# The gateway keeps it with the usage row: where no provider is told of it, nothing is left undone.
KEPT_WITH_THE_ROW: Final = frozenset({"metadata"})
# What tells users apart, and what caches go by. OpenAI takes 64 characters, others 128; Claude Code's have 150.
IDS: Final = frozenset({"user", "safety_identifier", "prompt_cache_key"})
_LONGEST_ID: Final = 64
# What earlier answers thought is no wish of the caller's: clients send it back unasked.
THOUGHTS: Final = "messages[].reasoning_content"


def is_given(name: str, raw: bytes) -> bool:
    """Tell whether a parameter asks for anything."""
    value = raw.strip()
    return value not in _NOTHING and value not in _NEUTRAL.get(name, _NOTHING)


def id_that_fits(given: Any) -> Any:
    """Return an id of the caller's as upstreams take it: a longer one is told by a digest, the same each time."""
    if not isinstance(given, str) or len(given) <= _LONGEST_ID:
        return given
    return stand_in(given, _LONGEST_ID)


def sort_out(prompt: Prompt, provider: str, dropped: list[str], mapped: Collection[str] = ()) -> None:
    """Name in `dropped` what is left out of `prompt.other_json`; `mapped` is handled elsewhere.

    Raises:
        InvalidRequest: a parameter that must not be ignored.
    """
    for name, raw in prompt.other_json.items():
        if name in mapped or name in KEPT_WITH_THE_ROW or not is_given(name, raw):
            continue
        if name in REJECTED:
            raise failures.unsupported(name, provider)
        if name == "modalities" and b'"audio"' in raw:
            raise failures.unsupported(name, provider, "it answers with text only")
        dropped.append(name)
    name_thoughts(prompt, dropped)


def clamped(name: str, value: float, least: float, most: float, dropped: list[str]) -> float:
    """Return `value` within the provider's bounds; when it is another one, name it in `dropped` with what it became."""
    fitting = min(max(value, least), most)
    if fitting != value:
        dropped.append(f"{name}={fitting:g}")
    return fitting


def check_all_kept(required: bool, dropped: Sequence[str], provider: str) -> None:
    """Do nothing, unless every parameter must count and one was left out or clamped.

    Raises:
        InvalidRequest: the first of those.
    """
    lost = [name for name in dropped if name != THOUGHTS] if required else ()
    if lost:
        name, _, became = lost[0].partition("=")
        why = f"it would become {became}" if became else "it would be ignored"
        raise failures.unsupported(name, provider, f"{why}, and `provider.require_parameters` is true")


def effort_within(effort: str, known: Sequence[str], dropped: list[str]) -> str:
    """Return a reasoning effort that a provider knows, the nearest one below or above; another is named in `dropped`.

    Args:
        effort: as the caller wrote it; a word that is newer than we are counts as the most.
        known: what the provider takes, least first.
    """
    if effort in known:
        return effort
    wanted = EFFORTS.index(effort) if effort in EFFORTS else len(EFFORTS)
    nearest = min(known, key=lambda name: abs(EFFORTS.index(name) - wanted))
    dropped.append(f"reasoning_effort={nearest}")
    return nearest


def asked_size(texts: EmbeddingInput, model: Model, provider: str) -> int | None:
    """Return how many numbers a vector shall have; None when it is what the model makes anyway, or may be.

    Raises:
        InvalidRequest: the model makes others.
    """
    wanted = texts.dimensions
    if wanted is None or wanted == model.dimensions:
        return None
    if "dimensions" in model.supported_parameters:
        return wanted
    if model.dimensions:
        raise _fixed_size(provider, model.dimensions)
    return None


def check_size(texts: EmbeddingInput, made: Vectors, provider: str) -> None:
    """Do nothing when the vectors have the numbers that were asked for, or nothing was asked.

    Raises:
        InvalidRequest: the model, of which that was not known, makes others.
    """
    sizes = {len(vector) for vector in made.values}
    if texts.dimensions is not None and sizes != {texts.dimensions}:
        raise _fixed_size(provider, min(sizes, default=0))


def _fixed_size(provider: str, size: int) -> ServiceError:
    return failures.unsupported("dimensions", provider, f"this model makes vectors of {size} numbers")


def name_own(tools: Sequence[Tool], dropped: list[str], mapped: Collection[str] = ()) -> None:
    """Name in `dropped` what tools say that only another provider knows; `mapped` is handled elsewhere."""
    own = [name for tool in tools for name in tool.other_json if name not in mapped]
    dropped.extend(f"tools[].function.{name}" for name in dict.fromkeys(own))


def name_thoughts(prompt: Prompt, dropped: list[str]) -> None:
    """Name in `dropped` what earlier answers thought, if there is any: this provider does not take it back."""
    if any(message.reasoning_content for message in prompt.messages):
        dropped.append(THOUGHTS)


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
        raise invalid_parameter(param, f"'{param}' is not valid JSON.") from exc


def json_object(raw: bytes, param: str) -> dict[str, Any]:
    """Return the value of a JSON object that the caller sent.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    value = json_value(raw, param)
    if not isinstance(value, dict):
        raise invalid_parameter(param, f"'{param}' must be a JSON object.")
    return value


def call_arguments(arguments: str) -> dict[str, Any]:
    """Return a past tool call's arguments as an object; none at all means no arguments.

    What a model made and nobody can read is kept as text: the turn that says so follows it, and the loop goes on, as it
    does with a provider that takes any text.
    """
    if not arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {UNREADABLE: arguments}


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
