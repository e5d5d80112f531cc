"""Secrets in settings: several stand in one variable, separated by commas."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

# For what keys are derived from: HMAC-SHA256 gains nothing from more, and a shorter one could be guessed.
MIN_SECRET_LENGTH: Final = 32


def split_secrets(secrets: SecretStr) -> list[str]:
    """Return the secrets of a list; empty ones are left out."""
    return [secret.strip() for secret in secrets.get_secret_value().split(",") if secret.strip()]


def _long_enough(given: SecretStr) -> SecretStr:
    if any(len(secret) < MIN_SECRET_LENGTH for secret in split_secrets(given)):
        raise ValueError(f"each secret must have at least {MIN_SECRET_LENGTH} characters")
    return given


Secrets = Annotated[SecretStr, AfterValidator(_long_enough)]
