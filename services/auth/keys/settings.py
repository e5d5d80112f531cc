"""Settings of API keys: a part of `AuthSettings`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from servicekit.configuration.secret_lists import MIN_SECRET_LENGTH, Secrets, split_secrets
from servicekit.settings import Part
from services.auth.keys.domain.key_hash import KeyHasher, Pepper


class KeySettings(Part):
    """How API keys are stored."""

    pepper: SecretStr = Field(min_length=MIN_SECRET_LENGTH)
    """Secret of the HMAC under which keys are stored, at least 32 characters. Without it no key can be verified."""
    previous_peppers: Secrets = SecretStr("")
    """Earlier peppers, separated by commas: keys stored under them still verify, and move over when they are used."""

    def peppers(self) -> list[str]:
        """Return all peppers, the current one first."""
        return [self.pepper.get_secret_value(), *split_secrets(self.previous_peppers)]

    def hasher(self) -> KeyHasher:
        """Return what hashes and recognises keys."""
        current, *previous = (Pepper.of(pepper) for pepper in self.peppers())
        return KeyHasher(current, tuple(previous))
