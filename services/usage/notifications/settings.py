"""Settings of notifications: parts of `UsageSettings`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from pydantic import Field, SecretStr

from servicekit.configuration.production import secret_faults
from servicekit.configuration.secret_lists import Secrets, split_secrets
from servicekit.mail.settings import SmtpSettings
from servicekit.outbound.networks import Networks, networks_of
from servicekit.settings import OptionalPath, Part

# Without a secret the profile `local` takes this one; production refuses to start.
LOCAL_SECRET: Final = "local-notifications-local-notifications"


class NotificationSettings(Part):
    """How events are delivered."""

    secret: Secrets = SecretStr("")
    """Encrypts addresses, chats and webhook secrets, at least 32 characters; empty: one for demonstrations only."""
    previous_secrets: Secrets = SecretStr("")
    """Earlier such secrets, separated by commas: what was encrypted under them can still be read."""
    public_url: str = "http://127.0.0.1:8080"
    """Address of the gateway for the links in mails that unsubscribe, such as https://llm.example.ru."""
    every_s: float = Field(2.0, gt=0)
    """Seconds from one look at what is due to the next."""
    at_once: int = Field(32, ge=1)
    """Channels that one process serves at the same time; a channel gets one attempt at a time."""
    disable_after_days: float = Field(5.0, gt=0)
    """Days of nothing but failures after which a channel is switched off and its owner told."""
    keep_days: int = Field(400, ge=32)
    """Days that events and their deliveries are kept; what a rule told once is told again after that."""

    @property
    def sealing_secrets(self) -> list[str]:
        """The secrets, the current one first."""
        return [*(split_secrets(self.secret) or [LOCAL_SECRET]), *split_secrets(self.previous_secrets)]

    @property
    def disable_after(self) -> timedelta:
        """How long nothing may arrive."""
        return timedelta(days=self.disable_after_days)


class WebhookSettings(Part):
    """How webhooks are called."""

    timeout_s: float = Field(10.0, gt=0)
    """Seconds for one attempt, the lookup of the name included."""
    answer_kb: int = Field(64, ge=1)
    """Kilobytes of an answer that are read at most; they are thrown away."""
    trusted_networks: Networks = ""
    """Networks of your own that may be called at any port, commas between: 10.1.2.0/24. All others must be public."""
    plaintext: bool = False
    """Whether http:// addresses count, too: for one machine; refused in production."""
    ca_bundle: OptionalPath = None
    """PEM file of further authorities for the receivers' hosts."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The trusted networks."""
        return networks_of(self.trusted_networks)


class TelegramSettings(Part):
    """The Telegram bot."""

    token: SecretStr = SecretStr("")
    """The bot's token, as BotFather gave it; empty: there is no Telegram."""
    base_url: str = "https://api.telegram.org"
    """Where the bots' API is."""
    timeout_s: float = Field(5.0, gt=0)
    """Seconds for one message."""


@dataclass(frozen=True, slots=True)
class NotificationOptions:
    """The settings of notifications."""

    notifications: NotificationSettings
    webhooks: WebhookSettings
    telegram: TelegramSettings
    mail: SmtpSettings


def notification_faults(
    notifications: NotificationSettings, webhooks: WebhookSettings, mail: SmtpSettings
) -> Iterator[str]:
    """Yield what production refuses."""
    if not notifications.secret.get_secret_value():
        yield (
            "USAGE_NOTIFICATIONS_SECRET: addresses and webhook secrets would lie under a demonstration's key; "
            "make one with: openssl rand -hex 32"
        )
    else:
        yield from secret_faults("USAGE_NOTIFICATIONS_SECRET", notifications.secret.get_secret_value())
    if not notifications.public_url.startswith("https://"):
        yield "USAGE_NOTIFICATIONS_PUBLIC_URL: mails would link to plaintext; name the gateway's https address"
    if webhooks.plaintext:
        yield "USAGE_WEBHOOKS_PLAINTEXT: webhooks would be sent in plaintext; leave it out"
    if not mail.host:
        yield "USAGE_MAIL_HOST: notifications by mail would go nowhere; name the mail server"
    elif mail.tls == "none":
        yield "USAGE_MAIL_TLS: mails would be plaintext; use starttls or implicit"
