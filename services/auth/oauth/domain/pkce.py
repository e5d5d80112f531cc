"""Proof Key for Code Exchange (RFC 7636), S256 only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.refusal import invalid_grant, invalid_request

METHOD: Final = "S256"
# BASE64URL of a SHA-256 has 43 characters; RFC 7636 4.2 allows the whole unreserved set and up to 128.
CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~-]{43}")
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def challenge_from(params: Params) -> str:
    """Return the code challenge of an authorization request.

    Raises:
        OAuthRefusal: invalid_request: there is none, it is malformed, or the method is not S256 (absent means plain).
    """
    challenge = params.get("code_challenge")
    if challenge is None:
        raise invalid_request("PKCE is required: send code_challenge and code_challenge_method=S256.")
    if params.get("code_challenge_method") != METHOD:
        raise invalid_request("The code_challenge_method must be S256.")
    if not CHALLENGE.fullmatch(challenge):
        raise invalid_request("The code_challenge is malformed.")
    return challenge


def check_verifier(verifier: str, challenge: str) -> None:
    """Refuse a verifier that does not belong to the challenge.

    Raises:
        OAuthRefusal: invalid_grant.
    """
    if not VERIFIER.fullmatch(verifier):
        raise invalid_grant("The code_verifier is malformed.")
    digest = hashlib.sha256(verifier.encode()).digest()
    computed = base64.urlsafe_b64encode(digest).rstrip(b"=")
    if not hmac.compare_digest(computed, challenge.encode()):
        raise invalid_grant("The code_verifier does not match.")
