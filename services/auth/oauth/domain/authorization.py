"""Authorization requests: parsing, validation in an order that tells nothing to the wrong party, and results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from servicekit.trust.dpop import is_thumbprint
from services.auth.oauth.domain import pkce
from services.auth.oauth.domain.assurance import LEVELS, reaches
from services.auth.oauth.domain.client import Client, GrantType
from services.auth.oauth.domain.grant import Allowance
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.redirect_uri import is_registered, with_params
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_request
from services.auth.oauth.domain.scope_parameter import scopes_for
from services.auth.oauth.domain.token import SecretKind, is_a, new_secret
from services.auth.shared.domain.scope import Scope
from services.auth.shared.domain.session import Session

MAX_STATE_LENGTH: Final = 8192
MAX_NONCE_LENGTH: Final = 512
MAX_HINT_LENGTH: Final = 254
PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
UNSUPPORTED: Final = {
    "request": OAuthError.REQUEST_NOT_SUPPORTED,
    "request_uri": OAuthError.REQUEST_URI_NOT_SUPPORTED,
    "registration": OAuthError.REGISTRATION_NOT_SUPPORTED,
}

PUSHED_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """The redirect target: checked first, so that errors may be sent there, too."""

    redirect_uri: str
    state: str | None
    issuer: str

    def with_code(self, code: str) -> str:
        """Return where the browser takes the code."""
        return self._url([("code", code)])

    def with_error(self, refusal: OAuthRefusal) -> str:
        """Return where the browser takes an error."""
        return self._url([("error", refusal.error.value), ("error_description", refusal.description)])

    def _url(self, answer: list[tuple[str, str]]) -> str:
        state = [("state", self.state)] if self.state is not None else []
        # RFC 9207: the client sees from whom the answer is, in success and in error.
        return with_params(self.redirect_uri, [*answer, *state, ("iss", self.issuer)])


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request, before the user was asked."""

    client_id: str
    reply_to: ReplyTo
    scopes: frozenset[Scope]
    code_challenge: str
    nonce: str | None
    prompts: frozenset[str]
    max_age_s: int | None
    login_hint: str
    ui_locales: str
    requested_at: datetime
    dpop_jkt: str | None = None
    acr_values: tuple[str, ...] = ()

    @property
    def is_silent(self) -> bool:
        """Tell whether nobody may be asked anything."""
        return "none" in self.prompts

    def needs_login(self, session: Session | None) -> bool:
        """Tell whether somebody must (again) say who they are."""
        if session is None:
            return True
        if self.prompts & {"login", "select_account"} and session.authenticated_at < self.requested_at:
            return True
        if not reaches(session.methods, self.acr_values) and session.authenticated_at < self.requested_at:
            return True
        if self.max_age_s is None:
            return False
        return session.authenticated_at < self.requested_at - timedelta(seconds=self.max_age_s)

    def check_assurance(self, session: Session) -> None:
        """Refuse a person who has logged in and reaches no level that is wanted (RFC 9470 5).

        Raises:
            OAuthRefusal: unmet_authentication_requirements.
        """
        if not reaches(session.methods, self.acr_values):
            raise _unmet()


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for its user; bound to a login session once there is one."""

    request: AuthorizationRequest
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The user's decision."""

    approved: bool
    allowance: Allowance


def reply_address(params: Params, client: Client | None, issuer: str) -> ReplyTo:
    """Return where answers may be sent.

    Raises:
        OAuthRefusal: nowhere: who asks or where to answer is not known for sure. It must be shown, never redirected.
    """
    if client is None:
        raise OAuthRefusal(OAuthError.INVALID_CLIENT, "The client_id is missing or unknown.")
    redirect_uri = params.get("redirect_uri")
    if redirect_uri is None or not is_registered(redirect_uri, client.redirect_uris):
        raise OAuthRefusal(OAuthError.INVALID_REDIRECT_URI, "The redirect_uri is missing or not registered.")
    state = params.get("state")
    # Refused later; a state this long would only make the URL of the refusal unusable.
    return ReplyTo(redirect_uri, state if state is None or len(state) <= MAX_STATE_LENGTH else None, issuer)


def new_request_uri() -> str:
    """Return a fresh name for a pushed request (RFC 9126 2.2)."""
    return PUSHED_PREFIX + new_secret(SecretKind.PUSHED)


def is_request_uri(text: str) -> bool:
    """Tell whether this can be the name of a pushed request; addresses of requests elsewhere are never fetched."""
    return text.startswith(PUSHED_PREFIX) and is_a(SecretKind.PUSHED, text.removeprefix(PUSHED_PREFIX))


def read_request(params: Params, client: Client, reply_to: ReplyTo, now: datetime) -> AuthorizationRequest:
    """Return the request.

    Raises:
        OAuthRefusal: to be sent to `reply_to`.
    """
    params.check_unambiguous()
    _check_kind(params, client)
    prompts = _prompts(params)
    return AuthorizationRequest(
        client_id=client.id,
        reply_to=reply_to,
        scopes=scopes_for(params.get("scope"), client.scopes),
        code_challenge=pkce.challenge_from(params),
        nonce=_nonce(params),
        prompts=prompts,
        max_age_s=_max_age_s(params),
        login_hint=_hint(params, "login_hint"),
        ui_locales=_hint(params, "ui_locales"),
        requested_at=now,
        dpop_jkt=_thumbprint(params),
        acr_values=_acr_values(params),
    )


def _check_kind(params: Params, client: Client) -> None:
    if len(params.get("state") or "") > MAX_STATE_LENGTH:
        raise invalid_request("The state is too long.")
    for name, error in UNSUPPORTED.items():
        if params.get(name) is not None:
            raise OAuthRefusal(error, f"The parameter {name} is not supported.")
    if params.require("response_type") != "code":
        raise OAuthRefusal(OAuthError.UNSUPPORTED_RESPONSE_TYPE, "The response_type must be code.")
    if params.get("response_mode") not in (None, "query"):
        raise invalid_request("The response_mode must be query.")
    if not client.may(GrantType.AUTHORIZATION_CODE):
        raise OAuthRefusal(OAuthError.UNAUTHORIZED_CLIENT, "This client may not use authorization codes.")


def _prompts(params: Params) -> frozenset[str]:
    prompts = frozenset((params.get("prompt") or "").split())
    if not prompts <= PROMPTS:
        raise invalid_request("The prompt is unknown.")
    if "none" in prompts and len(prompts) > 1:
        raise invalid_request("The prompt none stands alone.")
    return prompts


def _thumbprint(params: Params) -> str | None:
    given = params.get("dpop_jkt")
    if given is not None and not is_thumbprint(given):
        raise invalid_request("The dpop_jkt must be the SHA-256 thumbprint of a key.")
    return given


def _nonce(params: Params) -> str | None:
    nonce = params.get("nonce")
    if nonce is not None and (len(nonce) > MAX_NONCE_LENGTH or not nonce.isprintable()):
        raise invalid_request("The nonce must have at most 512 printable characters.")
    return nonce


def _max_age_s(params: Params) -> int | None:
    given = params.get("max_age")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= 9):
        raise invalid_request("The max_age must be a number of seconds.")
    return int(given)


def _acr_values(params: Params) -> tuple[str, ...]:
    wanted = tuple((params.get("acr_values") or "").split())
    known = tuple(level for level in LEVELS if level in wanted)
    if wanted and not known:
        raise _unmet()
    return known


def _unmet() -> OAuthRefusal:
    return OAuthRefusal(OAuthError.UNMET_AUTHENTICATION, "The user cannot be authenticated as acr_values want it.")


def _hint(params: Params, name: str) -> str:
    hint = params.get(name) or ""
    return hint if len(hint) <= MAX_HINT_LENGTH and hint.isprintable() else ""
