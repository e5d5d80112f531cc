"""What the forms of applications say, as the API has it, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.gateway.console.forms.draft import Draft, changed, draft_of
from services.gateway.console.forms.faults import FormRefused
from services.gateway.identity.access import Scope

DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
# In the order in which people need them.
GRANT_TYPES: Final = ("authorization_code", "refresh_token", DEVICE, "client_credentials")
# Who somebody is; the rest is what they may do at the API.
IDENTITY: Final = ("openid", "profile", "email")
SCOPES: Final = (*IDENTITY, *(scope.value for scope in Scope if scope is not Scope.ADMIN))
DEFAULT_SCOPES: Final = ("openid", "models:read", "completions:write")
FIELDS: Final = ("name", "redirect_uris", "scopes", "grant_types", "overlap_s")
FLAGS: Final = ("dpop_bound_access_tokens", "require_pushed_authorization_requests")


def blank() -> Draft:
    """Return the form for a new application with a browser."""
    return draft_of(scopes=DEFAULT_SCOPES, grant_types=GRANT_TYPES[:2])


def draft_of_client(client: Mapping[str, Any]) -> Draft:
    """Return the form that says what an application is now."""
    flags = {name: "on" for name in FLAGS if client[name]}
    uris = "\n".join(client["redirect_uris"])
    return draft_of(name=client["name"], redirect_uris=uris, scopes=client["scopes"], **flags)


def new_client(draft: Draft) -> dict[str, Any]:
    """Return the order of a new application.

    Raises:
        FormRefused: it would have no rights, or no way to get a token.
    """
    grant_types = draft.every("grant_types")
    if not grant_types:
        raise FormRefused("grant_types", "clients.no_grant_type")
    return {**_says(draft), "confidential": bool(draft.one("confidential")), "grant_types": grant_types}


def changes_of(draft: Draft, now: Draft) -> dict[str, Any]:
    """Return what a form says otherwise than the application is now.

    Raises:
        FormRefused: it would have no rights.
    """
    return changed(_says(draft), _says(now))


def _says(draft: Draft) -> dict[str, Any]:
    scopes = draft.every("scopes")
    if not scopes:
        raise FormRefused("scopes", "keys.no_scope")
    flags = {name: bool(draft.one(name)) for name in FLAGS}
    return {"name": draft.one("name"), "redirect_uris": draft.lines("redirect_uris"), "scopes": scopes, **flags}
