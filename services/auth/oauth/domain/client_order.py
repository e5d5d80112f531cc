"""Rules for registering an application (RFC 7591 2), by an administrator, its owner or itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from servicekit.errors import invalid_parameter
from services.auth.oauth.domain.client import AuthMethod, Client, GrantType
from services.auth.oauth.domain.redirect_uri import problem_with
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal
from services.auth.oauth.domain.scope_parameter import NOT_FOR_DYNAMIC_CLIENTS, as_text, parse_scope
from services.auth.shared.domain.delegation import Authority, Delegation, Made, Powers, delegate, makers_of
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, IDENTITY_SCOPES, Scope, known_scopes

MAX_NAME_LENGTH: Final = 100
MAX_REDIRECT_URIS: Final = 20
MAX_METADATA_LENGTH: Final = 65_536
CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
DEFAULT_SCOPES: Final = DEFAULT_KEY_SCOPES | IDENTITY_SCOPES


@dataclass(frozen=True, slots=True)
class ClientOrder:
    """A request to register an application. `auth_method` None: any that fits."""

    name: str
    is_confidential: bool
    redirect_uris: tuple[str, ...]
    scopes: frozenset[Scope]
    grant_types: frozenset[GrantType]
    auth_method: AuthMethod | None
    owner_user_id: str | None
    client_uri: str = ""
    makers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ip_allow_list: tuple[str, ...] = ()
    expires_at: datetime | None = None
    dpop_bound: bool = False
    requires_pushed: bool = False

    @property
    def auth_methods(self) -> tuple[AuthMethod, ...]:
        """Return how it may authenticate: as it said, or, when it said nothing, either way but never both at once."""
        if not self.is_confidential:
            return (AuthMethod.NONE,)
        return (AuthMethod.BASIC, AuthMethod.POST) if self.auth_method is None else (self.auth_method,)

    def becomes(self, client_id: str, secret_hash: bytes | None, now: datetime) -> Client:
        """Return the application."""
        return Client(
            id=client_id,
            name=self.name,
            owner_user_id=self.owner_user_id,
            secret_hash=secret_hash,
            auth_methods=self.auth_methods,
            redirect_uris=self.redirect_uris,
            scopes=self.scopes,
            grant_types=self.grant_types,
            client_uri=self.client_uri,
            created_at=now,
            makers=self.makers,
            models=self.models,
            ip_allow_list=self.ip_allow_list,
            expires_at=self.expires_at,
            dpop_bound=self.dpop_bound,
            requires_pushed=self.requires_pushed,
        )


def delegated(order: ClientOrder, maker: Authority | None, *, owner_is_admin: bool) -> ClientOrder:
    """Return the order within the bounds of the credential that asks; None: a person or an operator does.

    Raises:
        PermissionDenied: neither its owner nor that credential may have such an application.
    """
    powers = delegate(Delegation(Made.CLIENT, Powers(order.scopes), maker, owner_is_admin))
    return replace(
        order,
        scopes=known_scopes(powers.scopes),
        makers=makers_of(maker),
        models=powers.models,
        ip_allow_list=powers.ip_allow_list,
        expires_at=powers.expires_at,
    )


def check_client_order(order: ClientOrder, *, private_schemes: bool) -> ClientOrder:
    """Return the order if it can be registered.

    Raises:
        OAuthRefusal: invalid_redirect_uri, invalid_client_metadata.
    """
    if not 1 <= len(order.name) <= MAX_NAME_LENGTH or not order.name.isprintable():
        raise _invalid("The name must have 1 to 100 printable characters.")
    if len(order.redirect_uris) > MAX_REDIRECT_URIS:
        raise OAuthRefusal(OAuthError.INVALID_REDIRECT_URI, "At most 20 redirect URIs are possible.")
    for uri in order.redirect_uris:
        if problem := problem_with(uri, private_schemes=private_schemes):
            raise OAuthRefusal(OAuthError.INVALID_REDIRECT_URI, problem)
    if order.client_uri and problem_with(order.client_uri, private_schemes=False):
        raise _invalid("The client_uri must be https.")
    _check_grant_types(order)
    return order


def refused_field(refusal: OAuthRefusal) -> str:
    """Return the field of an order that a refusal is about."""
    if refusal.error is OAuthError.INVALID_REDIRECT_URI:
        return "redirect_uris"
    return next((field for word, field in _NAMED.items() if word in refusal.description), "client")


# What the refusals of `check_client_order` speak of.
_NAMED: Final = {"The name": "name", "grant type": "grant_types"}


def _check_grant_types(order: ClientOrder) -> None:
    if not order.grant_types:
        raise _invalid("A client needs a grant type.")
    if GrantType.AUTHORIZATION_CODE in order.grant_types and not order.redirect_uris:
        raise OAuthRefusal(OAuthError.INVALID_REDIRECT_URI, "The grant type authorization_code needs a redirect URI.")
    if GrantType.TOKEN_EXCHANGE in order.grant_types:
        raise _invalid("The exchange of 1.0 tokens needs no client of its own.")
    if GrantType.CLIENT_CREDENTIALS not in order.grant_types:
        return
    if not order.is_confidential:
        raise _invalid("The grant type client_credentials needs a client secret.")
    if order.owner_user_id is None:
        raise _invalid("The grant type client_credentials needs an owner, who pays.")


def order_from_metadata(metadata_json: str) -> ClientOrder:
    """Return the order of an RFC 7591 document. Addresses in it are never fetched; unknown members are ignored.

    Raises:
        OAuthRefusal: invalid_redirect_uri, invalid_client_metadata.
    """
    metadata = _read_object(metadata_json)
    if "software_statement" in metadata:
        raise _invalid("Software statements are not supported.")
    if _strings(metadata, "response_types", ["code"]) not in ([], ["code"]):
        raise _invalid("The only response type is code.")
    method = _auth_method(_string(metadata, "token_endpoint_auth_method"))
    order = ClientOrder(
        name=_string(metadata, "client_name") or "Unnamed application",
        is_confidential=method is not AuthMethod.NONE,
        redirect_uris=tuple(_strings(metadata, "redirect_uris", [])),
        scopes=_dynamic_scopes(_string(metadata, "scope")),
        grant_types=grant_types_from(_strings(metadata, "grant_types", ["authorization_code"])),
        auth_method=method,
        owner_user_id=None,
        client_uri=_string(metadata, "client_uri"),
        dpop_bound=_flag(metadata, "dpop_bound_access_tokens"),
        requires_pushed=_flag(metadata, "require_pushed_authorization_requests"),
    )
    return check_client_order(order, private_schemes=False)


def grant_types_from(names: Iterable[str]) -> frozenset[GrantType]:
    """Return the grant types of these names.

    Raises:
        OAuthRefusal: invalid_client_metadata.
    """
    try:
        return frozenset(GrantType(name) for name in names)
    except ValueError as exc:
        raise _invalid("A grant type is unknown.") from exc


def ordered_grant_types(names: Iterable[str]) -> frozenset[GrantType]:
    """Return the grant types that an owner or administrator names; none: what an application with a browser needs.

    Raises:
        InvalidRequest: one is unknown.
    """
    try:
        return grant_types_from(names) or frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN})
    except OAuthRefusal as refusal:
        raise invalid_parameter("grant_types", refusal.description) from refusal


def as_metadata(client: Client, secret: str) -> dict[str, Any]:
    """Return the answer to a registration (RFC 7591 3.2.1)."""
    document: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": sorted(client.grant_types),
        "token_endpoint_auth_method": client.auth_methods[0],
        "scope": as_text(client.scopes),
    }
    if client.may(GrantType.AUTHORIZATION_CODE):
        document["response_types"] = ["code"]
    if client.dpop_bound:
        document["dpop_bound_access_tokens"] = True
    if client.requires_pushed:
        document["require_pushed_authorization_requests"] = True
    if client.client_uri:
        document["client_uri"] = client.client_uri
    if secret:
        document |= {"client_secret": secret, "client_secret_expires_at": 0}
    return document


def _read_object(text: str) -> dict[str, Any]:
    if len(text) > MAX_METADATA_LENGTH:
        raise _invalid("The document is too large.")
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _invalid("The body must be a JSON object.") from exc
    if not isinstance(read, dict):
        raise _invalid("The body must be a JSON object.")
    return read


def _string(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid(f"The member {name} must be a string.")
    return value


def _flag(metadata: dict[str, Any], name: str) -> bool:
    value = metadata.get(name, False)
    if not isinstance(value, bool):
        raise _invalid(f"The member {name} must be true or false.")
    return value


def _strings(metadata: dict[str, Any], name: str, default: Sequence[str]) -> list[str]:
    value = metadata.get(name)
    if value is None:
        return list(default)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        error = OAuthError.INVALID_REDIRECT_URI if name == "redirect_uris" else OAuthError.INVALID_CLIENT_METADATA
        raise OAuthRefusal(error, f"The member {name} must be a list of strings.")
    return value


def _auth_method(name: str) -> AuthMethod | None:
    if not name:
        return None
    try:
        return AuthMethod(name)
    except ValueError as exc:
        raise _invalid("This token_endpoint_auth_method is not supported.") from exc


def _dynamic_scopes(given: str) -> frozenset[Scope]:
    if not given:
        return DEFAULT_SCOPES
    try:
        scopes = parse_scope(given)
    except OAuthRefusal as exc:
        raise _invalid("A scope is unknown.") from exc
    if scopes & NOT_FOR_DYNAMIC_CLIENTS:
        raise _invalid("A client that registers itself cannot have the scope admin.")
    return scopes or DEFAULT_SCOPES


def _invalid(description: str) -> OAuthRefusal:
    return OAuthRefusal(OAuthError.INVALID_CLIENT_METADATA, description)
