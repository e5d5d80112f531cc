"""Model aliases of a user, for all keys or for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from servicekit.errors import invalid_parameter
from services.auth.shared.domain.model_list import MAX_MODEL_LENGTH

# Whatever is asked for.
ANY: Final = "*"
MAX_NAMES: Final = 50
# As long as the gateway takes names of models.
MAX_NAME_LENGTH: Final = 256


def check_names(given: Mapping[str, str]) -> dict[str, str]:
    """Return the names as they are stored.

    Raises:
        InvalidRequest: too many, or one that cannot be a name or a model's id.
    """
    if len(given) > MAX_NAMES:
        raise invalid_parameter("names", f"At most {MAX_NAMES} names are possible.")
    for name, model in given.items():
        if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
            raise invalid_parameter("names", f"A name has 1 to {MAX_NAME_LENGTH} printable characters.")
        if not 1 <= len(model) <= MAX_MODEL_LENGTH or not model.isprintable():
            raise invalid_parameter(f"names.{name}", f"A model id has 1 to {MAX_MODEL_LENGTH} printable characters.")
    return dict(sorted(given.items()))


def joined(of_user: Mapping[str, str], of_key: Mapping[str, str]) -> dict[str, str]:
    """Return what counts for a key: its own names before its user's, and its pin before all of those."""
    return dict(of_key) if ANY in of_key else {**of_user, **of_key}
