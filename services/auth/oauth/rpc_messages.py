"""protobuf <-> domain for OAuth, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.timestamps import timestamp_to_proto
from services.auth.oauth.client_changes import ClientChange
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.client_order import DEFAULT_SCOPES, ClientOrder, ordered_grant_types
from services.auth.oauth.domain.grant import Allowance, Grant
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.refusal import OAuthRefusal
from services.auth.oauth.domain.token import Token
from services.auth.oauth.flows.authorization_endpoint import AskUser, Next, Redirect, ShowError
from services.auth.oauth.flows.device_flow import FoundDevice
from services.auth.shared.domain.budget import key_budget
from services.auth.shared.domain.model_list import check_models
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.domain.scope import IDENTITY_SCOPES, Scope, known_scopes, parse_scopes
from services.auth.shared.domain.session import Session
from services.auth.shared.rpc_values import PERIOD_TO_PROTO, period_from_proto


def params_from_proto(params: Iterable[pb.Param]) -> Params:
    """Return the parameters in their order."""
    return Params((param.name, param.value) for param in params)


def json_text(value: Any) -> str:
    """Return the JSON of an answer."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def error_to_proto(refusal: OAuthRefusal) -> pb.OAuthError:
    """Return a refusal as an answer."""
    return pb.OAuthError(
        error=refusal.error.value,
        description=refusal.description,
        http_status=refusal.http_status,
        challenge_basic=refusal.challenge_basic,
        retry_after_s=refusal.retry_after_s,
    )


def next_to_proto(step: Next) -> pb.AuthorizeResponse:
    """Return what an authorization request leads to."""
    match step:
        case ShowError():
            return pb.AuthorizeResponse(error_page=pb.ErrorPage(error=step.error, description=step.description))
        case Redirect():
            return pb.AuthorizeResponse(redirect_url=step.url)
        case AskUser(session=None):
            return pb.AuthorizeResponse(login=pending_to_proto(step))
        case AskUser():
            return pb.AuthorizeResponse(consent=pending_to_proto(step))


def pending_to_proto(step: AskUser) -> pb.Pending:
    """Return what the user is asked."""
    return pb.Pending(
        pending_id=step.pending_id,
        client=client_to_proto(step.client),
        scopes=sorted(step.request.scopes),
        user=user_to_proto(step.session),
        login_hint=step.request.login_hint,
        ui_locales=step.request.ui_locales,
    )


def device_to_proto(found: FoundDevice) -> pb.Pending:
    """Return what a device asks for."""
    return pb.Pending(
        pending_id=found.flow.user_code,
        client=client_to_proto(found.client),
        scopes=sorted(found.flow.scopes),
        user=user_to_proto(found.session),
    )


def user_to_proto(session: Session | None) -> auth_pb2.User | None:
    """Return who is logged in."""
    return None if session is None else auth_pb2.User(id=session.user_id, email=session.email)


def allowance_from_proto(request: pb.DecideConsentRequest | pb.DecideDeviceRequest) -> Allowance:
    """Return what the user allows.

    Raises:
        InvalidRequest: a model or the budget is wrong.
    """
    budget = key_budget(request.budget_micro_rub, period_from_proto(request.budget_period))
    return Allowance(parse_scopes(request.scopes), check_models(request.models), budget)


def token_to_proto(token: Token) -> pb.Token:
    """Return the answer of the token endpoint."""
    return pb.Token(
        access_token=token.access_token,
        expires_in_s=token.expires_in_s,
        refresh_token=token.refresh_token,
        scope=token.scope,
        id_token=token.id_token,
        issued_token_type=token.issued_token_type,
        token_type=token.token_type,
    )


def client_to_proto(client: Client) -> pb.Client:
    """Return an application without its secret."""
    return pb.Client(
        client_id=client.id,
        name=client.name,
        confidential=client.is_confidential,
        redirect_uris=client.redirect_uris,
        scopes=sorted(client.scopes),
        grant_types=sorted(client.grant_types),
        token_endpoint_auth_method=client.auth_methods[0],
        created_at=timestamp_to_proto(client.created_at),
        owner_user_id=client.owner_user_id or "",
        client_uri=client.client_uri,
        dpop_bound_access_tokens=client.dpop_bound,
        require_pushed_authorization_requests=client.requires_pushed,
        disabled=client.is_disabled,
    )


def order_from_proto(request: pb.CreateClientRequest) -> ClientOrder:
    """Return the application that is asked for.

    Raises:
        InvalidRequest: a scope or grant type is unknown.
    """
    return ClientOrder(
        name=request.name.strip(),
        is_confidential=request.confidential,
        redirect_uris=tuple(request.redirect_uris),
        scopes=parse_scopes(request.scopes) or _default_scopes(request),
        grant_types=ordered_grant_types(request.grant_types),
        auth_method=None,
        owner_user_id=request.owner_user_id or None,
        dpop_bound=request.dpop_bound_access_tokens,
        requires_pushed=request.require_pushed_authorization_requests,
    )


def change_from_proto(request: pb.ChangeClientRequest) -> ClientChange:
    """Return what is to be different; a name that is no field is refused by the use case.

    Raises:
        InvalidRequest: a scope is unknown.
    """
    said = {
        "name": request.name.strip(),
        "redirect_uris": tuple(request.redirect_uris),
        "scopes": parse_scopes(request.scopes),
        "dpop_bound": request.dpop_bound,
        "requires_pushed": request.requires_pushed,
    }
    given = {name: said.get(name) for name in request.changed}
    return ClientChange(request.owner_user_id, request.client_id, given)


def _default_scopes(request: pb.CreateClientRequest) -> frozenset[Scope]:
    # What is left out is as narrow as the maker.
    if not request.HasField("maker"):
        return DEFAULT_SCOPES
    return known_scopes(request.maker.scopes) & DEFAULT_SCOPES | IDENTITY_SCOPES


def grant_to_proto(grant: Grant, client: Client) -> pb.Grant:
    """Return a grant as its user sees it."""
    budget = None
    if grant.budget is not None:
        budget = auth_pb2.Budget(
            subject=grant.budget.subject,
            period=PERIOD_TO_PROTO[grant.budget.period],
            limit_micro_rub=grant.budget.limit_micro_rub,
        )
    return pb.Grant(
        grant_id=grant.id,
        client=client_to_proto(client),
        user_id=grant.user_id,
        scopes=sorted(grant.allowance.scopes),
        models=grant.allowance.models,
        budget=budget,
        created_at=timestamp_to_proto(grant.created_at),
        last_used_at=timestamp_to_proto(grant.last_used_at),
        disabled=grant.is_disabled,
    )


def revocation_to_proto(revocation: Revocation) -> pb.Revocation:
    """Return what ended."""
    return pb.Revocation(
        kind=str(revocation.kind),
        id=revocation.subject_id,
        revoked_at=timestamp_to_proto(revocation.at),
        until=timestamp_to_proto(revocation.until),
    )
