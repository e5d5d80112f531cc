"""New secrets in the file of a suite, the old ones kept for as long as they are needed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

PEPPER = "key_pepper"
PREVIOUS_PEPPERS = "previous_peppers"


def with_new_pepper(known: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets with a new pepper, and the present one among those that still verify."""
    previous = [known[PEPPER], *filter(None, known.get(PREVIOUS_PEPPERS, "").split(","))]
    return {**known, PEPPER: secrets.token_urlsafe(24), PREVIOUS_PEPPERS: ",".join(previous)}


def with_new_password(known: Mapping[str, str], role: str) -> dict[str, str]:
    """Return the secrets with a new password of a role of PostgreSQL."""
    return {**known, role: secrets.token_urlsafe(24)}
