"""Login and consent on the way to a code (oauth rules 13 to 19)."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import InvalidRequest, NotFound
from servicekit.testing import FakeClock
from services.auth.tests.oauth.conftest import ISSUER
from services.auth.tests.oauth.flow import Flow, query_of


async def test_nobody_is_logged_in(flow: Flow) -> None:
    """Rule 15: the login page, or login_required when nobody may be asked."""
    app = await flow.app()

    asked = await flow.authorize(app, session="", login_hint="anna@example.ru", ui_locales="ru en")
    silent = await flow.authorize(app, session="", prompt="none")

    assert asked.WhichOneof("next") == "login"
    assert not asked.login.HasField("user")
    assert (asked.login.login_hint, asked.login.ui_locales) == ("anna@example.ru", "ru en")
    assert query_of(silent.redirect_url)["error"] == "login_required"


async def test_a_request_goes_on_after_the_login(flow: Flow) -> None:
    """Rule 14: then the consent page names client and scopes, under a new name that the login page did not have."""
    app = await flow.app()
    waiting = await flow.authorize(app, session="")

    step = await flow.call(pb.AuthorizeRequest(pending_id=waiting.login.pending_id, session_id=flow.session))

    assert step.consent.client.name == "Notes"
    assert list(step.consent.scopes) == ["models:read", "openid"]
    assert step.consent.user.email == "anna@example.ru"
    assert step.consent.pending_id != waiting.login.pending_id
    with pytest.raises(NotFound):
        await flow.decide(waiting.login.pending_id)
    assert "code" in query_of(await flow.decide(step.consent.pending_id))


async def test_prompt_login_and_max_age_want_a_fresh_login(flow: Flow, clock: FakeClock) -> None:
    """Rule 15: an old session is not enough; one begun since the request is."""
    app = await flow.app()
    clock.advance(100)

    by_prompt = await flow.authorize(app, prompt="login")
    by_age = await flow.authorize(app, max_age="99")
    young_enough = await flow.authorize(app, max_age="100")
    clock.advance(1)
    fresh = flow.sessions.open(flow.user_id, clock.now())
    resumed = await flow.call(pb.AuthorizeRequest(pending_id=by_prompt.login.pending_id, session_id=fresh))
    still_old = await flow.call(pb.AuthorizeRequest(pending_id=by_age.login.pending_id, session_id=flow.session))

    assert by_prompt.WhichOneof("next") == by_age.WhichOneof("next") == "login"
    assert young_enough.WhichOneof("next") == "consent"
    assert resumed.WhichOneof("next") == "consent"
    assert still_old.WhichOneof("next") == "login"


async def test_a_public_client_is_always_asked_about(flow: Flow) -> None:
    """Rule 14: anybody can use its id, so there is no silent second time."""
    app = await flow.app()
    await flow.tokens(app)

    again = await flow.authorize(app)

    assert again.WhichOneof("next") == "consent"


async def test_a_confidential_client_is_asked_about_once(flow: Flow) -> None:
    """Rule 14: the same or less again goes without asking, more does not; prompt=consent asks anyway."""
    app = await flow.app(confidential=True)
    await flow.tokens(app)

    again = await flow.authorize(app, prompt="none", scope="openid")
    more = await flow.authorize(app, scope="openid usage:read")
    asked = await flow.authorize(app, prompt="consent")

    assert "code" in query_of(again.redirect_url)
    assert more.WhichOneof("next") == asked.WhichOneof("next") == "consent"


async def test_the_user_says_no(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 14: access_denied, and the audit log knows."""
    app = await flow.app()
    step = await flow.authorize(app)

    url = await flow.decide(step.consent.pending_id, approved=False)

    answer = query_of(url)
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "st4te", ISSUER)
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.audit_log WHERE action = 'consent.denied'") == 1


async def test_a_request_is_decided_once_and_by_its_own_session(flow: Flow) -> None:
    """Rule 13: another session, no session, or a second post: there is no such request."""
    app = await flow.app()
    step = await flow.authorize(app)
    other = flow.sessions.open(flow.user_id, flow.now())

    for session in ("", "wrong", other):
        with pytest.raises(NotFound):
            await flow.decide(step.consent.pending_id, session_id=session)
    await flow.decide(step.consent.pending_id)

    with pytest.raises(NotFound):
        await flow.decide(step.consent.pending_id)
    for unknown in ("", "rz_pa_" + "x" * 43, "a\x00", "я"):
        with pytest.raises(NotFound):
            await flow.decide(unknown)


async def test_anothers_pending_request_cannot_be_resumed(flow: Flow) -> None:
    """Rule 13: a request that is bound to one session shows nothing to another."""
    app = await flow.app()
    step = await flow.authorize(app)
    other = flow.sessions.open(flow.user_id, flow.now())

    stolen = await flow.call(pb.AuthorizeRequest(pending_id=step.consent.pending_id, session_id=other))
    own = await flow.call(pb.AuthorizeRequest(pending_id=step.consent.pending_id, session_id=flow.session))

    assert stolen.error_page.error == "expired"
    assert own.consent.pending_id == step.consent.pending_id


async def test_a_wrong_budget_leaves_the_request_waiting(flow: Flow) -> None:
    """A slip of the pen on the consent page is no decision."""
    app = await flow.app()
    step = await flow.authorize(app)

    with pytest.raises(InvalidRequest):
        await flow.decide(step.consent.pending_id, budget_micro_rub=5)

    assert "code" in query_of(await flow.decide(step.consent.pending_id))


async def test_the_user_may_tick_less_and_never_more(flow: Flow) -> None:
    """Rule 17: the token says which scopes it has."""
    app = await flow.app()
    allow = {"scopes": ["models:read", "usage:read"]}

    token = await flow.tokens(app, allow=allow, scope="openid models:read completions:write")

    assert token.scope == "models:read"


async def test_codes_are_random_and_stored_as_hashes(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 19: 256 bits, of which the database has the SHA-256 only; 60 seconds."""
    app = await flow.app()

    codes = {await flow.code(app) for _ in range(5)}

    rows = await auth_pool.fetch("SELECT * FROM auth.oauth_codes")
    assert len(codes) == len(rows) == 5
    assert all(len(code) == len("rz_ac_") + 43 for code in codes)
    assert all(code not in str(dict(row)) for code in codes for row in rows)
    assert {row["expires_at"] - row["created_at"] for row in rows} == {timedelta(seconds=60)}


async def test_only_an_administrator_hands_out_admin(flow: Flow) -> None:
    """Rule 17: a client with that scope still needs a user who has the right."""
    app = await flow.app(scopes=["admin", "openid"])
    refused = await flow.authorize(app, scope="admin")
    admin = flow.sessions.open(flow.user_id, flow.now(), is_admin=True)

    step = await flow.authorize(app, session=admin, scope="admin")

    assert query_of(refused.redirect_url)["error"] == "invalid_scope"
    assert list(step.consent.scopes) == ["admin"]


async def test_two_megabytes_are_refused(flow: Flow) -> None:
    """Bad input table: too much of anything is invalid_request."""
    app = await flow.app()

    step = await flow.authorize(app, login_hint="x" * 2_000_000)

    assert query_of(step.redirect_url)["error"] == "invalid_request"
