"""Every setting of auth, read once from variables that begin with AUTH_."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.configuration.production import is_weak, postgres_faults, redis_faults, secret_faults, tls_faults
from servicekit.mail.settings import SmtpSettings
from servicekit.settings import (
    SERVICE_CONFIG,
    GrpcSettings,
    MetricsSettings,
    PatientRedisSettings,
    PostgresSettings,
    TelemetrySettings,
    TlsSettings,
)
from services.auth.accounts.settings import (
    AccountOptions,
    AccountSettings,
    AskSettings,
    ExternalSettings,
    GuessSettings,
    PasswordSettings,
    PublicSettings,
    SessionSettings,
)
from services.auth.keys.settings import KeySettings
from services.auth.oauth.settings import TOKEN_LEEWAY_S, OAuthSettings
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.settings import (
    CeilingSettings,
    EnterpriseTierSettings,
    FreeTierSettings,
    LimitSettings,
    MostSettings,
    ProTierSettings,
    UpkeepSettings,
)


class AuthSettings(BaseSettings):
    """Settings of the auth service."""

    model_config = SettingsConfigDict(**SERVICE_CONFIG, env_prefix="AUTH_")

    postgres: PostgresSettings
    redis: PatientRedisSettings
    key: KeySettings
    tier_free: FreeTierSettings = FreeTierSettings()
    tier_pro: ProTierSettings = ProTierSettings()
    tier_enterprise: EnterpriseTierSettings = EnterpriseTierSettings()
    keylimit_free: LimitSettings = LimitSettings()
    keylimit_pro: LimitSettings = LimitSettings()
    keylimit_enterprise: LimitSettings = LimitSettings()
    modellimit_free: LimitSettings = LimitSettings()
    modellimit_pro: LimitSettings = LimitSettings()
    modellimit_enterprise: LimitSettings = LimitSettings()
    ceiling: CeilingSettings = CeilingSettings()
    oauth: OAuthSettings = OAuthSettings()
    accounts: AccountSettings = AccountSettings()
    public: PublicSettings = PublicSettings()
    password: PasswordSettings = PasswordSettings()
    session: SessionSettings = SessionSettings()
    guess: GuessSettings = GuessSettings()
    ask: AskSettings = AskSettings()
    smtp: SmtpSettings = SmtpSettings()
    external: ExternalSettings = ExternalSettings()
    most: MostSettings = MostSettings()
    demo: bool = False
    """Whether accounts can be seeded: for a demonstration; refused where the issuer is on the network with https."""
    outbox: bool = False
    """Whether mails in the local outbox can be read: for a demonstration; refused like `demo`."""
    upkeep: UpkeepSettings = UpkeepSettings()
    grpc: GrpcSettings = GrpcSettings()
    tls: TlsSettings = TlsSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @model_validator(mode="after")
    def _revocations_outlive_tokens(self) -> Self:
        if self.upkeep.revocation_keep_s < self.oauth.access_token_ttl_s + TOKEN_LEEWAY_S:
            raise ValueError("upkeep.revocation_keep_s must exceed oauth.access_token_ttl_s by a minute")
        return self

    @model_validator(mode="after")
    def _production_is_no_demo(self) -> Self:
        if (self.demo or self.outbox) and self.oauth.issuer.startswith("https://"):
            raise ValueError("demo and outbox are not for production: the issuer is an https address")
        return self

    def production_faults(self) -> Iterator[str]:
        """Yield what production refuses."""
        yield from tls_faults("AUTH_", self.tls)
        yield from postgres_faults("AUTH_", self.postgres)
        yield from redis_faults("AUTH_", self.redis)
        yield from _demonstration_faults(self)

    def account_options(self) -> AccountOptions:
        """Return what accounts are told."""
        return AccountOptions(
            accounts=self.accounts,
            password=self.password,
            session=self.session,
            guess=self.guess,
            ask=self.ask,
            smtp=self.smtp,
            external=self.external,
            public_url=self.public.url or self.oauth.issuer,
            sealing_secrets=self.accounts.sealing_secrets(self.key.peppers()),
            may_seed=self.demo,
            may_read_outbox=self.outbox,
            forget_every_s=self.upkeep.check_every_s,
        )

    def tier_limits(self) -> dict[Tier, TierLimits]:
        """Return what each tier may do: in all, with each key or application, on each model version."""
        parts = {
            Tier.FREE: (self.tier_free, self.keylimit_free, self.modellimit_free),
            Tier.PRO: (self.tier_pro, self.keylimit_pro, self.modellimit_pro),
            Tier.ENTERPRISE: (self.tier_enterprise, self.keylimit_enterprise, self.modellimit_enterprise),
        }
        return {
            tier: TierLimits(user.limits, key.limits, model.limits, self.ceiling.micro_rub(tier))
            for tier, (user, key, model) in parts.items()
        }


def _demonstration_faults(settings: AuthSettings) -> Iterator[str]:
    yield from secret_faults("AUTH_KEY_PEPPER", settings.key.pepper.get_secret_value())
    for variable, secret in (
        ("AUTH_OAUTH_SIGNING_KEY_SECRET", settings.oauth.signing_key_secret),
        ("AUTH_OAUTH_REGISTRATION_TOKEN", settings.oauth.registration_token),
        ("AUTH_ACCOUNTS_SECRET", settings.accounts.secret),
    ):
        # An empty one is not used at all, or is derived from the pepper.
        if secret.get_secret_value():
            yield from secret_faults(variable, secret.get_secret_value())
    legacy = settings.oauth.legacy_jwt_secret.get_secret_value()
    if legacy and is_weak(legacy):
        yield (
            "AUTH_OAUTH_LEGACY_JWT_SECRET: whoever guesses release 1.0's secret is any of its users; leave it empty: "
            "keys go on working, and people set a password by mail"
        )
    if not settings.oauth.issuer.startswith("https://"):
        yield "AUTH_OAUTH_ISSUER: tokens and passwords would travel in plaintext; name the public https:// address"
    if not settings.smtp.host:
        yield "AUTH_SMTP_HOST: mails would go nowhere; name the mail server"
    elif settings.smtp.tls == "none":
        yield "AUTH_SMTP_TLS: mails with links to log in would be plaintext; use starttls or implicit"
    for variable, is_on in (("AUTH_DEMO", settings.demo), ("AUTH_OUTBOX", settings.outbox)):
        if is_on:
            yield f"{variable}: it is for a demonstration; set it to false"
