"""Where the mail server is."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from servicekit.settings import Part


class SmtpSettings(Part):
    """The mail server."""

    host: str = ""
    """Its name; empty: mails stay in the local outbox for a day and go nowhere."""
    port: int = Field(587, ge=1, le=65_535)
    """Its port."""
    user: str = ""
    """Whom to log in as; empty: no login."""
    password: SecretStr = SecretStr("")
    """The password."""
    sender: str = Field("Razvilka <no-reply@localhost>", min_length=3)
    """Who the mails are from."""
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    """none, starttls (587) or implicit (465)."""

    @model_validator(mode="after")
    def _hides_password(self) -> Self:
        if self.tls == "none" and self.password.get_secret_value() and self.host not in ("127.0.0.1", "localhost"):
            raise ValueError("a password needs tls starttls or implicit")
        return self
