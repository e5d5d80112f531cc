"""Settings of YandexGPT, and how an installation is given it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr

from servicekit.settings import Part
from services.router.providers.access import Access, Variable


class YandexSettings(Part):
    """YandexGPT; without credentials its models answer PROVIDER_CREDENTIALS."""

    api_key: SecretStr = SecretStr("")
    """API key of a service account; used before the other two."""
    iam_token: SecretStr = SecretStr("")
    """An IAM token (at most 12 h old): for trying things out."""
    service_account_key_file: Path | None = None
    """JSON file of an authorised key; exchanged for IAM tokens."""
    folder_id: str = ""
    """Folder that the models' addresses name."""
    base_url: str = "https://ai.api.cloud.yandex.net"
    """Address of the API; /foundationModels/v1 and /v1 lie under it."""
    iam_url: str = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    """Where a service account's JWT is exchanged."""
    iam_audience: str = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    """What the JWT is made out for."""
    ca_bundle: Path | None = None
    """PEM file of further authorities for these hosts only."""
    data_logging: bool = False
    """Whether the provider may log prompts."""
    embeddings_per_s: int = Field(10, ge=0)
    """Calls for embeddings in a second: the provider's quota, divided by the routers; 0: as many as come."""
    hold_back_chars: int = Field(0, ge=0, le=64)
    """Characters of each partial text that are held back to hide rewrites; 0: none."""


ACCESS: Final = Access(
    title="YandexGPT",
    part="yandex",
    key_setting="api_key",
    surface="yandex",
    needed=("YC_API_KEY", "YC_FOLDER_ID"),
    variables=(
        Variable("YC_API_KEY", "api_key", "With both, YandexGPT is the real one instead of the emulator."),
        Variable("YC_FOLDER_ID", "folder_id"),
        Variable("YC_BASE_URL", "base_url", "Another address of the YandexGPT API."),
    ),
    emulated={
        "api_key": "AQVN-emulator-demo-key",
        "folder_id": "b1gemulatorfolder000",
        "base_url": "{yandex}",
        "iam_url": "{yandex}/iam/v1/tokens",
    },
)
