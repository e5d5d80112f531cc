"""Allow-lists of models of a credential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from servicekit.errors import InvalidRequest, invalid_parameter

MAX_MODELS: Final = 100
MAX_MODEL_LENGTH: Final = 128


def check_models(given: Sequence[str]) -> tuple[str, ...]:
    """Return the list of models without repetitions.

    Raises:
        InvalidRequest: too many, or one that cannot be a model's id.
    """
    if len(given) > MAX_MODELS:
        raise _invalid(f"At most {MAX_MODELS} entries are possible.")
    for model in given:
        if not 1 <= len(model) <= MAX_MODEL_LENGTH or not model.isprintable():
            raise _invalid(f"A model id has 1 to {MAX_MODEL_LENGTH} printable characters.")
    return tuple(dict.fromkeys(given))


def _invalid(message: str) -> InvalidRequest:
    return invalid_parameter("models", message)
