"""Settings of GigaChat, and how an installation is given it."""

from __future__ import annotations

from typing import Final, Self

from pydantic import SecretStr, model_validator

from servicekit.settings import OptionalPath, Part
from services.router.providers.access import Access, Variable


class GigaChatSettings(Part):
    """GigaChat; without credentials its models answer PROVIDER_CREDENTIALS."""

    credentials: SecretStr = SecretStr("")
    """Authorization key of the cabinet: base64 of client id and secret."""
    user: str = ""
    """User, in place of the authorization key: for installations that give a password."""
    password: SecretStr = SecretStr("")
    """Password of the user."""
    cert_file: OptionalPath = None
    """PEM file of a client certificate (mutual TLS); without key and user it is all that says who we are."""
    key_file: OptionalPath = None
    """PEM file of the certificate's key."""
    key_file_password: SecretStr = SecretStr("")
    """Password of that file."""
    scope: str = "GIGACHAT_API_PERS"
    """GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP."""
    base_url: str = "https://api.giga.chat/v1"
    """Address of API v1."""
    auth_url: str = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
    """Where the key is exchanged for a token."""
    ca_bundle: OptionalPath = None
    """PEM file with the Russian Trusted Root CA; trusted for these hosts only."""

    @model_validator(mode="after")
    def _are_pairs(self) -> Self:
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("user and password belong together: set both or none")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: set both or none")
        return self


ACCESS: Final = Access(
    title="GigaChat",
    part="gigachat",
    key_setting="credentials",
    surface="gigachat",
    needed=(
        ("GIGACHAT_CREDENTIALS",),
        ("GIGACHAT_USER", "GIGACHAT_PASSWORD"),
        ("GIGACHAT_CERT_FILE", "GIGACHAT_KEY_FILE"),
    ),
    variables=(
        Variable("GIGACHAT_CREDENTIALS", "credentials", "With it, GigaChat is the real one instead of the emulator."),
        Variable("GIGACHAT_USER", "user", "In place of the key: user and password, or a client certificate's files."),
        Variable("GIGACHAT_PASSWORD", "password"),
        Variable("GIGACHAT_CERT_FILE", "cert_file"),
        Variable("GIGACHAT_KEY_FILE", "key_file"),
        Variable("GIGACHAT_KEY_FILE_PASSWORD", "key_file_password"),
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
