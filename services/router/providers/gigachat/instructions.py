"""Instructions in the prompt for what GigaChat has no parameter for, and checks that the answer follows them."""

from __future__ import annotations

from typing import Final

import msgspec

from services.router.domain.completion import Answer, Prompt
from services.router.providers import failures
from services.router.providers.gigachat.messages import must_call_any

_FENCE: Final = "```"


def is_instructed(prompt: Prompt) -> bool:
    """Tell whether an answer has to be checked: it must be JSON, or a call of any of several functions."""
    return _wants_json(prompt) or must_call_any(prompt)


def obeys(prompt: Prompt, answer: Answer) -> bool:
    """Tell whether the answer is what was asked for in words."""
    if must_call_any(prompt) and not answer.choices[0].tool_calls:
        return False
    return not _wants_json(prompt) or is_json(answer)


def check_second(prompt: Prompt, answer: Answer, dropped: list[str]) -> None:
    """Judge the last try: a text in place of a call is given out, and `tool_choice` named in `dropped`.

    Raises:
        ProviderFailed: it must be JSON and is none; or every parameter must count and no call was made.
    """
    if _wants_json(prompt) and not is_json(answer):
        raise failures.broken("The model did not answer with a JSON object.")
    if must_call_any(prompt) and not answer.choices[0].tool_calls:
        if prompt.require_parameters:
            raise failures.broken("The model called none of the functions, though `tool_choice` is `required`.")
        dropped.append("tool_choice")


def _wants_json(prompt: Prompt) -> bool:
    return prompt.response_format is not None and prompt.response_format.type == "json_object"


def is_json(answer: Answer) -> bool:
    """Tell whether the answer is an object of JSON (a call is fine too); takes a markdown fence off."""
    choice = answer.choices[0]
    if choice.tool_calls:
        return True
    text = (choice.content or "").strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        text = text.removeprefix(_FENCE).removeprefix("json").removesuffix(_FENCE).strip()
    try:
        is_object = isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    if is_object:
        choice.content = text
    return is_object
