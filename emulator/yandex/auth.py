"""Who calls: API keys, IAM tokens, folders; and the IAM endpoint that gives tokens for a signed JWT."""

import secrets
from typing import Final

from emulator.core import Core
from emulator.yandex.jws import read_part, split, verify_ps256

AUDIENCE: Final = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
LONGEST_JWT_S: Final = 3600


class Unauthenticated(Exception):
    """The caller is not known; the message is the provider's."""


class YandexAccess:
    """Keys and tokens that are good now."""

    def __init__(self, core: Core) -> None:
        """Take the first credentials from the settings."""
        self._core = core
        settings = core.settings
        self.api_keys = dict(settings.yandex_api_keys)
        self.service_accounts = dict(settings.yandex_service_accounts)
        self._tokens: dict[str, tuple[float, str | None]] = {}

    def folder_of(self, authorization: str | None, *, keys_as_bearer: bool) -> str | None:
        """Return the caller's folder; None for a user account, which may name any.

        Raises:
            Unauthenticated: unknown or expired.
        """
        scheme, _, credential = (authorization or "").partition(" ")
        scheme = scheme.lower()
        if scheme == "api-key" or (scheme == "bearer" and keys_as_bearer and credential in self.api_keys):
            if credential not in self.api_keys:
                raise Unauthenticated(f"Unknown api key '{credential[:4]}****{credential[-2:]}'")
            return self.api_keys[credential]
        found = self._tokens.get(credential) if scheme == "bearer" else None
        if found is None or found[0] <= self._core.now():
            raise Unauthenticated("The token is invalid")
        return found[1]

    def issue(self, folder: str | None) -> tuple[str, float]:
        """Return a new IAM token and when it ends."""
        token = "t1." + secrets.token_urlsafe(48)
        expires_at = self._core.now() + self._core.settings.yandex_iam_lifetime_s
        self._tokens[token] = (expires_at, folder)
        return token, expires_at

    def expire_tokens(self) -> int:
        """End all tokens now; return how many there were."""
        ended = len(self._tokens)
        self._tokens.clear()
        return ended


def check_jwt(access: YandexAccess, token: str, now: float) -> str:
    """Return the folder of the service account that signed the JWT.

    Raises:
        ValueError: with the reason why it is refused.
    """
    head, payload, _ = split(token)
    header = read_part(head)
    if header.get("alg") != "PS256":
        raise ValueError(f"JWT algorithm {header.get('alg')} is not supported, use PS256")
    account = access.service_accounts.get(str(header.get("kid")))
    if account is None:
        raise ValueError(f"Key {header.get('kid')} not found")
    verify_ps256(token, account.public_key)
    claims = read_part(payload)
    if claims.get("iss") != account.id:
        raise ValueError("JWT issuer does not own the key")
    if claims.get("aud") != AUDIENCE:
        raise ValueError("JWT audience is wrong")
    issued, expires = float(claims.get("iat", 0)), float(claims.get("exp", 0))
    if expires - issued > LONGEST_JWT_S or expires <= issued:
        raise ValueError("JWT lives longer than an hour")
    # A minute of clock difference is forgiven, as most token services do.
    if expires <= now or issued > now + 60:
        raise ValueError("JWT is expired or not valid yet")
    return account.folder
