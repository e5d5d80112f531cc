"""Settings of GigaChat, and how its provider is configured from them."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from servicekit.settings import OptionalPath, Part
from services.router.providers.access import Access, Variable
from services.router.providers.credential_file import credential_name, with_further

# An empty variable means: not set.
OptionalCount = Annotated[
    Annotated[int, Field(ge=0)] | None, BeforeValidator(lambda given: None if given == "" else given)
]
PERSONAL: Final = "GIGACHAT_API_PERS"
# The only one that may have batches.
CORPORATE: Final = "GIGACHAT_API_CORP"
# As the provider's page of limits has them.
PERSONAL_STREAMS: Final = 1
FIRM_STREAMS: Final = 10


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
    scope: str = PERSONAL
    """GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP."""
    base_url: str = "https://api.giga.chat/v1"
    """Address of API v1."""
    auth_url: str = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
    """Where the key is exchanged for a token."""
    more_credentials_file: OptionalPath = None
    """YAML list of further keys, each with its `scope` and `concurrency`: all are used, the freest first."""
    batch_gather_s: float = Field(5.0, gt=0)
    """Seconds that the first line of a batch waits for others, to be submitted together (scope GIGACHAT_API_CORP)."""
    batch_poll_s: float = Field(5.0, gt=0)
    """Seconds until the first look for the results of such a batch; later ones are up to fifteen times as far apart."""
    ca_bundle: OptionalPath = None
    """PEM file with the Russian Trusted Root CA; trusted for these hosts only."""

    concurrency: OptionalCount = None
    """Answers at once under the key, over all routers; empty: the scope's quota (a person 1, a firm 10); 0: all."""

    @property
    def most_at_once(self) -> int:
        """Return how many answers may be made at once; 0: as many as come."""
        if self.concurrency is not None:
            return self.concurrency
        return PERSONAL_STREAMS if self.scope == PERSONAL and self.cert_file is None else FIRM_STREAMS

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

_OF_A_CREDENTIAL: Final = frozenset(
    {"credentials", "user", "password", "cert_file", "key_file", "key_file_password", "scope", "concurrency"}
)


def gigachat_credentials(settings: GigaChatSettings) -> dict[str, GigaChatSettings]:
    """Return the settings of each key, by a name that all routers give it.

    Raises:
        SystemExit: the file of further ones is wrong.
    """
    variable = ACCESS.router_variable("more_credentials_file")
    each = with_further(settings, settings.more_credentials_file, _OF_A_CREDENTIAL, variable)
    return {credential_name(one.credentials, one.user, str(one.cert_file or "")): one for one in each}
