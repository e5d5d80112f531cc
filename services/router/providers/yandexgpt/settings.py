"""Settings of YandexGPT, and how its provider is configured from them."""

from __future__ import annotations

from typing import Final

from pydantic import Field, SecretStr

from servicekit.settings import OptionalPath, Part
from services.router.providers.access import Access, Variable
from services.router.providers.credential_file import credential_name, with_further


class YandexSettings(Part):
    """YandexGPT; without credentials its models answer PROVIDER_CREDENTIALS."""

    api_key: SecretStr = SecretStr("")
    """API key of a service account; used before the other four."""
    iam_token: SecretStr = SecretStr("")
    """An IAM token (at most 12 h old): for trying things out."""
    service_account_key_file: OptionalPath = None
    """JSON file of an authorised key; exchanged for IAM tokens."""
    oauth_token: SecretStr = SecretStr("")
    """OAuth token of a person's Yandex account; exchanged for IAM tokens."""
    metadata: bool = False
    """Whether the machine's own service account is asked for IAM tokens, on a VM of the cloud."""
    metadata_host: str = "169.254.169.254"
    """Where a VM is told who it is."""
    folder_id: str = ""
    """Folder that the models' addresses name."""
    base_url: str = "https://ai.api.cloud.yandex.net"
    """Address of the API; /foundationModels/v1 and /v1 lie under it."""
    iam_url: str = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    """Where a service account's JWT is exchanged."""
    iam_audience: str = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    """What the JWT is made out for."""
    ca_bundle: OptionalPath = None
    """PEM file of further authorities for these hosts only."""
    data_logging: bool = False
    """Whether the provider may log prompts."""
    concurrency: int = Field(10, ge=0)
    """Generations at once in the folder, over all routers: the provider's quota; 0: as many as come."""
    embeddings_per_s: int = Field(10, ge=0)
    """Calls for embeddings in a second, over all routers: the provider's quota; 0: as many as come."""
    operations_url: str = "https://operation.api.cloud.yandex.net/operations"
    """Where calls that are answered later (lines of batches) are looked for."""
    operation_poll_s: float = Field(2.0, gt=0)
    """Seconds until the first look for such an answer; later ones come up to fifteen times as far apart."""
    deferred_per_s: int = Field(10, ge=0)
    """Such calls in a second, over all routers: the provider's quota; 0: as many as come."""
    more_credentials_file: OptionalPath = None
    """YAML list of further folders, each with its credential and `concurrency`: all are used, the freest first."""
    hold_back_chars: int = Field(0, ge=0, le=64)
    """Characters of each partial text that are held back to hide rewrites; 0: none."""


ACCESS: Final = Access(
    title="YandexGPT",
    part="yandex",
    key_setting="api_key",
    surface="yandex",
    needed=tuple(
        (way, "YC_FOLDER_ID")
        for way in ("YC_API_KEY", "YC_SERVICE_ACCOUNT_KEY_FILE", "YC_OAUTH_TOKEN", "YC_IAM_TOKEN", "YC_METADATA")
    ),
    variables=(
        Variable("YC_API_KEY", "api_key", "With both, YandexGPT is the real one instead of the emulator."),
        Variable("YC_FOLDER_ID", "folder_id"),
        Variable(
            "YC_SERVICE_ACCOUNT_KEY_FILE",
            "service_account_key_file",
            "In place of the API key: a service account's key, a person's OAuth token, an IAM token; `true` on a VM.",
        ),
        Variable("YC_OAUTH_TOKEN", "oauth_token"),
        Variable("YC_IAM_TOKEN", "iam_token"),
        Variable("YC_METADATA", "metadata"),
        Variable("YC_BASE_URL", "base_url", "Another address of the YandexGPT API."),
    ),
    emulated={
        "api_key": "AQVN-emulator-demo-key",
        "folder_id": "b1gemulatorfolder000",
        "base_url": "{yandex}",
        "iam_url": "{yandex}/iam/v1/tokens",
        "operations_url": "{yandex}/operations",
    },
)

_OF_A_CREDENTIAL: Final = frozenset(
    {"api_key", "iam_token", "service_account_key_file", "oauth_token", "metadata", "folder_id"}
    | {"concurrency", "embeddings_per_s", "deferred_per_s"}
)


def yandex_credentials(settings: YandexSettings) -> dict[str, YandexSettings]:
    """Return the settings of each folder, by a name that all routers give it.

    Raises:
        SystemExit: the file of further ones is wrong.
    """
    variable = ACCESS.router_variable("more_credentials_file")
    each = with_further(settings, settings.more_credentials_file, _OF_A_CREDENTIAL, variable)
    # The quota is the folder's, whatever opens it.
    return {credential_name(one.folder_id): one for one in each}
