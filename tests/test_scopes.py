"""Scopes stand in one place; whatever else speaks of them says the same."""

import re
from pathlib import Path

import pytest

from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, SCOPES, Scope, ScopeKind
from services.gateway.console.keys import orders as key_form
from services.gateway.identity.access import Scope as NeededScope
from services.gateway.identity.access import scope_of
from services.gateway.pages.language import TEXTS
from services.gateway.rooms import ROOM_NEEDS
from tools.accounts import demo

DOCUMENTED = Path(__file__).parents[1] / "docs" / "api" / "oauth.md"
API_SCOPES = [scope for scope, facts in SCOPES.items() if facts.kind is ScopeKind.API]
NEEDED = [*API_SCOPES, Scope.ADMIN]


def test_every_scope_has_its_facts():
    """In the order of the list, so that documents follow it."""
    assert list(SCOPES) == list(Scope)


def test_the_gateway_asks_for_every_scope_of_the_api_and_for_no_other():
    """A scope that no route needs promises what does not exist; one that auth does not know can never be had."""
    assert [scope.value for scope in NeededScope] == NEEDED
    assert {need.value for room in ROOM_NEEDS for need in room.values() if isinstance(need, NeededScope)} == set(NEEDED)


def test_what_a_scope_allows_names_every_route_that_needs_it():
    """Whoever gives a scope away reads there what is given: of `completions:write` two routes of fifteen were told."""
    needs = [(scope_of(need), row.split()[-1]) for room in ROOM_NEEDS for row, need in room.items()]
    untold = [
        f"{scope}: {path}"
        for scope, path in needs
        if scope is not None and not any(f"{path}/".startswith(f"{told}/") for told in told_of(scope))
    ]

    assert untold == []


def told_of(scope: NeededScope) -> list[str]:
    """Return the paths that are named of a scope; what is below one is meant with it."""
    return [path.rstrip("/") for path in re.findall(r"`(?:[A-Z]+ )?(/v1/[a-z/_-]+)…?`", SCOPES[Scope(scope)].allows)]


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_person_decides_about_a_sentence_not_about_a_name(language):
    """Rule 14: every scope that people are asked about is explained, and nothing else is."""
    explained = {scope.consent_text for scope, facts in SCOPES.items() if facts.is_explained}

    assert {name for name in TEXTS[language] if name.startswith("scope.")} == explained


def test_the_form_for_keys_ticks_what_a_key_gets_when_nothing_is_named():
    """A person who changes nothing and a program that names nothing get the same."""
    assert {scope.value for scope in key_form.DEFAULT_SCOPES} == {scope.value for scope in DEFAULT_KEY_SCOPES}


def test_the_demo_applications_may_ask_for_everything_but_administration():
    """They show what there is."""
    assert set(demo.SCOPES) == set(Scope) - {Scope.ADMIN}


def test_the_documentation_has_the_table():
    """Line by line, in the order of the list."""
    table = "".join(f"| `{scope}` | {facts.allows} |\n" for scope, facts in SCOPES.items())

    assert f"| scope | allows |\n| --- | --- |\n{table}\n" in DOCUMENTED.read_text(encoding="utf-8")
