"""What the authorization server says, and of whom it is told, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from razvilka.auth.v1 import oauth_pb2 as pb

from services.gateway.admission.periods import BudgetPeriod

# Ordered and with repetitions: the server decides what they mean.
Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from."""

    ip: str
    user_agent: str


class OAuthRefused(Exception):
    """A protocol error (RFC 6749 5.2), ready to be answered."""

    def __init__(
        self,
        error: str,
        description: str,
        status: int = 400,
        *,
        challenge_basic: bool = False,
        retry_after_s: int = 0,
        dpop_nonce: str = "",
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.challenge_basic = challenge_basic
        self.retry_after_s = retry_after_s
        self.dpop_nonce = dpop_nonce


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """The body of an answer, and the nonce for the client's next DPoP proof, if it needs one."""

    body: bytes
    dpop_nonce: str = ""


@dataclass(frozen=True, slots=True)
class UserInfo:
    """The claims of a token's user as JSON, and the key that the token is bound to; "": none."""

    claims_json: bytes
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client."""

    client_id: str
    name: str
    confidential: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    auth_method: str
    created_at: datetime | None
    client_uri: str
    disabled: bool
    dpop_bound: bool = False
    requires_pushed: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for the user. `email` is empty while nobody is logged in."""

    pending_id: str
    application: Application
    scopes: tuple[str, ...]
    email: str
    login_hint: str
    ui_locales: str


@dataclass(frozen=True, slots=True)
class ErrorStep:
    """Show an error; never redirect."""

    error: str
    description: str


@dataclass(frozen=True, slots=True)
class RedirectStep:
    """Send the browser to a registered address."""

    url: str


@dataclass(frozen=True, slots=True)
class LoginStep:
    """Ask who it is."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class ConsentStep:
    """Ask whether the application may."""

    pending: Pending


Step = ErrorStep | RedirectStep | LoginStep | ConsentStep


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a user allows an application; nothing but `scopes` restricts when empty or 0."""

    approved: bool
    scopes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    budget_micro_rub: int = 0
    budget_period: BudgetPeriod | None = None


@dataclass(frozen=True, slots=True)
class GrantView:
    """An application that a user let in."""

    grant_id: str
    application: Application
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    budget_micro_rub: int
    budget_period: BudgetPeriod | None
    created_at: datetime | None
    last_used_at: datetime | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What a new client is to be."""

    name: str
    confidential: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    dpop_bound: bool = False
    requires_pushed: bool = False


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """What auth says of its tokens.

    Attributes:
        dpop_nonces: those that count, the second one to be handed out.
        now_s: the clock by which tokens begin and end, Unix seconds; None: it is too old to say.
    """

    jwks_json: str
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    metadata_json: str
    dpop_nonces: tuple[str, ...] = ()
    now_s: float | None = None


class Revocation(msgspec.Struct, frozen=True):
    """What ended, and when in milliseconds since 1970."""

    kind: str
    id: str
    at: int = 0


def origin_to_proto(origin: Origin) -> pb.Origin:
    """Convert at the border."""
    return pb.Origin(ip=origin.ip, user_agent=origin.user_agent)


def params_to_proto(params: Params) -> Sequence[pb.Param]:
    """Convert at the border; order and repetition stay."""
    return [pb.Param(name=name, value=value) for name, value in params]
