"""Whom the emulator knows and how fast it answers."""

from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceAccount(BaseModel):
    """A Yandex service account: who signs a JWT and for which folder the token is."""

    id: str
    public_key: str
    folder: str


class CoreSettings(BaseSettings):
    """What the emulated providers know and how they answer; the ports are in `listeners`."""

    model_config = SettingsConfigDict(env_prefix="EMULATOR_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    public_host: str = Field("", description="host name in printed addresses; empty: the same as host")
    tls: bool = Field(False, description="listen on the https ports too")
    tls_dir: Path = Field(Path(".emulator-tls"), description="where the CA and the server certificate are written")

    latency_ms: float = Field(0.0, ge=0, description="time to the first byte of a generation")
    latency_sigma: float = Field(
        0.0, ge=0, description="spread: latency is lognormal with median latency_ms; 0 is fixed"
    )
    chunk_gap_ms: float = Field(0.0, ge=0, description="time between stream chunks; 0 sends a stream in one write")
    tokens_per_chunk: int = Field(3, ge=1, description="tokens in a stream chunk unless the prompt says otherwise")
    random_seed: int = Field(1, description="seed of the latency draw")
    lift_quotas: bool = Field(False, description="begin without any quota of the providers, for load tests")

    yandex_api_keys: dict[str, str] = Field(
        {"AQVN-emulator-demo-key": "b1gemulatorfolder000"}, description="API key -> folder"
    )
    yandex_oauth_tokens: frozenset[str] = Field(frozenset({"y0_emulator"}), description="Passport tokens accepted")
    yandex_service_accounts: dict[str, ServiceAccount] = Field({}, description="authorised key id -> service account")
    yandex_metadata_folder: str = Field("b1gemulatorfolder000", description="folder of the VM's service account")
    yandex_iam_lifetime_s: int = Field(43_200, gt=0, description="life of an IAM token, seconds")
    yandex_max_sessions: int = Field(10, ge=1, description="generations at once in a folder")
    yandex_generations_per_hour: int = Field(0, ge=0, description="generations an hour in a folder; 0: no such limit")
    yandex_async_per_s: int = Field(10, ge=0, description="deferred generations a second; 0: no such limit")
    yandex_async_per_hour: int = Field(5_000, ge=0, description="deferred generations an hour; 0: no such limit")
    yandex_operation_reads_per_s: int = Field(50, ge=0, description="reads of operations a second; 0: no such limit")
    yandex_embeddings_per_s: int = Field(10, ge=0, description="embeddings a second; 0: no such limit")
    yandex_tokenizer_per_s: int = Field(50, ge=0, description="calls of the tokenizer a second; 0: no such limit")
    yandex_classifications_per_s: int = Field(1, ge=0, description="classifications a second; 0: no such limit")
    yandex_operation_s: float = Field(0.0, ge=0, description="time until an async operation is done")

    gigachat_credentials: dict[str, str] = Field(
        {"ZW11bGF0b3I6c2VjcmV0": "GIGACHAT_API_PERS"}, description="authorization key -> its scope"
    )
    gigachat_users: dict[str, str] = Field({"user": "password"}, description="user -> password for POST /token")
    gigachat_token_lifetime_s: float = Field(1_800, gt=0, description="life of an access token, seconds")
    gigachat_expires_in_seconds: bool = Field(False, description="expires_at in seconds as the docs' sample shows")
    gigachat_token_calls_per_s: int = Field(10, ge=0, description="OAuth calls a second; 0: no limit")
    gigachat_max_parallel: int | None = Field(
        None, ge=1, description="calls at once for a key; empty: the provider's, 1 for a person's and 10 for a firm's"
    )
    gigachat_batch_s: float = Field(0.0, ge=0, description="time until a batch is done")
    gigachat_run_s: float = Field(0.0, ge=0, description="time until a thread's run in the background is done")
    gigachat_packages: dict[str, int] = Field({}, description="model -> tokens left; a model not named is unlimited")

    openai_api_keys: frozenset[str] = Field(frozenset({"sk-emulator"}), description="bearer keys accepted")
    openai_models: tuple[str, ...] = Field(("toy-large", "toy-small"), description="models of the generic upstream")

    ground_truth_limit: int = Field(200_000, ge=1, description="calls kept in the ground-truth log; oldest go first")
    ground_truth_bodies: bool = Field(False, description="keep whole request bodies too (they hold prompts)")
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1, description="largest request taken")

    @property
    def shown_host(self) -> str:
        """Return the host that addresses given to clients carry."""
        return self.public_host or ("127.0.0.1" if self.host == "0.0.0.0" else self.host)
