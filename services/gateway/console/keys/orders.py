"""What the forms of keys say, as the API has it, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.gateway.console.forms.draft import Draft, changed, draft_of
from services.gateway.console.forms.faults import FormRefused
from services.gateway.console.forms.values import count_in, end_of_day, last_day, micro_rub_in
from services.gateway.identity.access import Scope

# What the form offers; administration is for the API.
SCOPES: Final = tuple(scope.value for scope in Scope if scope is not Scope.ADMIN)
# What a key gets when nothing is changed: what a key of release 1.0 could do.
DEFAULT_SCOPES: Final = (
    Scope.MODELS_READ, Scope.COMPLETIONS_WRITE, Scope.EMBEDDINGS_WRITE, Scope.USAGE_READ,
)  # fmt: skip
PERIODS: Final = ("month", "day", "total")
CACHES: Final = ("off", "on")
# Of the form, which shows what the API says of each.
FIELDS: Final = ("name", "scopes", "models", "ip_allow_list", "expires_at", "budget", "cache", "overlap_s")


def blank() -> Draft:
    """Return the form for a new key."""
    return draft_of(scopes=[scope.value for scope in DEFAULT_SCOPES], period="month", cache="off")


def draft_of_key(key: Mapping[str, Any], time_zone: str) -> Draft:
    """Return the form that says what a key is now."""
    return draft_of(
        name=key["name"],
        scopes=key["scopes"],
        models=key["models"],
        ip_allow_list="\n".join(key["ip_allow_list"]),
        expires_at=last_day(key["expires_at"], time_zone),
        cache=key["cache"]["mode"],
        cache_ttl=str(key["cache"]["ttl_s"] or ""),
    )


def new_key(draft: Draft, time_zone: str) -> dict[str, Any]:
    """Return the order of a new key.

    Raises:
        FormRefused: a field says nothing that could be asked for.
    """
    budget = micro_rub_in(draft.one("budget"), "budget")
    cap = {"limit_micro_rub": budget, "period": draft.one("period")} if budget else None
    return {**_says(draft, time_zone), "budget": cap}


def changes_of(draft: Draft, now: Draft, time_zone: str) -> dict[str, Any]:
    """Return what a form says otherwise than the key is now: what was not touched is not asked for.

    Raises:
        FormRefused: a field says nothing that could be asked for.
    """
    return changed(_says(draft, time_zone), _says(now, time_zone))


def _says(draft: Draft, time_zone: str) -> dict[str, Any]:
    return {
        "name": draft.one("name"),
        "scopes": _scopes(draft),
        "models": draft.every("models"),
        "ip_allow_list": draft.lines("ip_allow_list"),
        "expires_at": end_of_day(draft.one("expires_at"), "expires_at", time_zone),
        "cache": _cache(draft),
    }


def names_of(draft: Draft) -> dict[str, str]:
    """Return which model is meant by which name: the rows of the form in which both are said.

    Raises:
        FormRefused: a row says one of the two, or a name comes twice.
    """
    names: dict[str, str] = {}
    given = [value.strip() for name, value in draft.pairs if name == "name"]
    models = [value.strip() for name, value in draft.pairs if name == "model"]
    for name, model in zip(given, models, strict=False):
        if bool(name) is not bool(model) or name in names:
            raise FormRefused("names", "names.incomplete")
        if name:
            names[name] = model
    return names


def _scopes(draft: Draft) -> list[str]:
    scopes = draft.every("scopes")
    if not scopes:
        raise FormRefused("scopes", "keys.no_scope")
    return scopes


def _cache(draft: Draft) -> dict[str, Any]:
    if draft.one("cache") != "on":
        return {"mode": "off"}
    return {"mode": "on", "ttl_s": count_in(draft.one("cache_ttl"), "cache") or None}
