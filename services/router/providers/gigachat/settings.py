"""Settings of GigaChat, and how an installation is given it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from servicekit.settings import Part
from services.router.providers.access import Access, Variable


class GigaChatSettings(Part):
    """GigaChat; without credentials its models answer PROVIDER_CREDENTIALS."""

    credentials: SecretStr = SecretStr("")
    """Authorization key of the cabinet: base64 of client id and secret."""
    scope: str = "GIGACHAT_API_PERS"
    """GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP."""
    base_url: str = "https://api.giga.chat/v1"
    """Address of API v1."""
    auth_url: str = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
    """Where the key is exchanged for a token."""
    ca_bundle: Path | None = None
    """PEM file with the Russian Trusted Root CA; trusted for these hosts only."""


ACCESS: Final = Access(
    title="GigaChat",
    part="gigachat",
    key_setting="credentials",
    surface="gigachat",
    needed=("GIGACHAT_CREDENTIALS",),
    variables=(
        Variable("GIGACHAT_CREDENTIALS", "credentials", "With it, GigaChat is the real one instead of the emulator."),
        Variable("GIGACHAT_SCOPE", "scope", "GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP."),
        Variable("GIGACHAT_BASE_URL", "base_url", "Other addresses of the GigaChat API and of its token service."),
        Variable("GIGACHAT_AUTH_URL", "auth_url"),
        Variable("GIGACHAT_CA_BUNDLE", "ca_bundle", "PEM file with the Russian Trusted Root CA."),
    ),
    emulated={
        "credentials": "ZW11bGF0b3I6c2VjcmV0",
        "base_url": "{gigachat}/v1",
        "auth_url": "{gigachat_auth}/api/v2/oauth",
    },
)
