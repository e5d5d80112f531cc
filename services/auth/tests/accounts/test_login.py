"""Logging in by password: what is refused tells nothing, what is let in starts anew."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import TypeAlias

import asyncpg
import pytest
from prometheus_client import REGISTRY
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason, Unavailable
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.settings import AuthSettings
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, StartPeople, audit_actions
from services.auth.tests.conftest import settings_for

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        pytest.param(EMAIL, "wrong wrong", id="wrong password"),
        pytest.param("nobody@example.ru", PASSWORD, id="unknown user"),
        pytest.param(EMAIL, "", id="no password"),
        pytest.param("", "", id="nothing"),
        pytest.param(EMAIL, PASSWORD[:-1], id="cut password"),
        pytest.param(EMAIL, PASSWORD.upper(), id="other capitals"),
        pytest.param(EMAIL, "x" * 100_000, id="100 kB password"),
        pytest.param("x" * 100_000, PASSWORD, id="100 kB address"),
        pytest.param(EMAIL + "\0", PASSWORD, id="NUL in the address"),
        pytest.param(EMAIL, PASSWORD + "\0", id="NUL in the password"),
        pytest.param("' OR 1=1 --", "' OR 1=1 --", id="SQL"),
        pytest.param("disabled@example.ru", PASSWORD, id="disabled account"),
        pytest.param("old@example.ru", PASSWORD, id="account without a password"),
    ],
)
async def test_every_wrong_login_is_refused_alike(people: People, auth_pool: Pool, email: str, password: str) -> None:
    """Rule 44: unknown user and wrong password have one answer."""
    await people.seed()
    disabled = await people.seed("disabled@example.ru")
    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", disabled)
    await people.auth.new_user("old@example.ru")

    refusal = await people.refused_login(email, password)

    assert refusal.reason is ErrorReason.INVALID_CREDENTIALS
    assert refusal.message.startswith("The e-mail address or the password is wrong.")
    assert (refusal.param, refusal.details) == (None, {})


async def test_a_long_password_is_the_same_from_a_keyboard_that_parts_letters(people: People) -> None:
    """An Apple one sends й and ё as two characters each: what could be set can be entered."""
    password = "ёжик съел йогурт " * 15
    await people.seed(password=unicodedata.normalize("NFD", password))

    assert (await people.log_in(password=unicodedata.normalize("NFD", password))).session_id
    assert (await people.log_in(password=password)).session_id


async def test_an_unknown_user_costs_a_hash_too(people: People, auth_pool: Pool) -> None:
    """Rule 44: the same steps are made, and the same is stored, but for whose account it was."""
    user_id = await people.seed()

    await people.refused_login(EMAIL)
    await people.refused_login("nobody@example.ru")

    rows = await auth_pool.fetch("SELECT user_id, outcome, ip, user_agent FROM auth.login_attempts ORDER BY id")
    wrong, unknown = (dict(row) for row in rows)
    assert (wrong.pop("user_id"), unknown.pop("user_id")) == (user_id, None)
    assert wrong == unknown == {"outcome": "wrong_password", "ip": "203.0.113.7", "user_agent": "Firefox"}


async def test_login_ends_the_session_that_the_browser_had(people: People) -> None:
    """Rule 13: a session id that was there before the login is worthless after it."""
    await people.seed()
    first = await people.log_in()

    second = await people.log_in(previous=first.session_id)

    assert second.session_id != first.session_id
    assert not await people.is_logged_in(first.session_id)
    assert await people.is_logged_in(second.session_id)


async def test_a_planted_session_id_is_not_taken_over(people: People) -> None:
    """Fixation: the id is always ours."""
    await people.seed()

    login = await people.log_in(previous="planted-by-an-attacker")

    assert login.session_id != "planted-by-an-attacker"
    assert len(login.session_id) == 43
    assert not await people.is_logged_in("planted-by-an-attacker")


async def test_logins_are_written_down_without_the_address(people: People, auth_pool: Pool) -> None:
    """The audit log says who, when and from where; it outlives the account."""
    user_id = await people.seed()

    await people.log_in()

    rows = await auth_pool.fetch(
        "SELECT action, details::text FROM auth.audit_log WHERE subject = $1", f"user:{user_id}"
    )
    assert await audit_actions(auth_pool, user_id) == ["user.seeded", "user.logged_in"]
    assert '"ip": "203.0.113.7"' in rows[-1]["details"]
    assert not any(EMAIL in row["details"] for row in rows)


async def test_an_old_hash_is_renewed_at_login(
    start_people: StartPeople, people: People, auth_dsn: str, redis_url: str, auth_pool: Pool
) -> None:
    """Rule 43: when the parameters grow, a hash follows at its owner's next login and opens still."""
    user_id = await people.seed()
    stronger = settings_for(auth_dsn, redis_url, password={"memory_kib": 128, "passes": 2})

    async with start_people(stronger) as later:
        await later.log_in()
        renewed = await auth_pool.fetchval("SELECT password_hash FROM auth.users WHERE id = $1", user_id)
        again = await later.log_in()

    assert "m=128,t=2,p=1" in renewed
    assert again.session_id


async def test_a_crowd_is_sent_away_before_it_starves_the_rest() -> None:
    """Item 28: two hashes are computed, two wait, the fifth is told to come back; later there is room again."""
    hashing = PasswordHashing(memory_kib=8192, passes=1, lanes=1, parallel=2, queue=2)

    results = await asyncio.gather(*(hashing.hash(f"password {n}") for n in range(5)), return_exceptions=True)

    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) == 1
    assert isinstance(refused[0], Unavailable)
    assert refused[0].retry_after_s
    assert await hashing.verify(await hashing.hash("one more"), "one more")
    hashing.close()


async def test_default_parameters_are_the_ones_of_owasp(people_settings: AuthSettings) -> None:
    """Rule 43: argon2id with m=19456, t=2, p=1."""
    given = type(people_settings.password)()
    hashing = PasswordHashing(memory_kib=given.memory_kib, passes=given.passes, lanes=given.lanes, parallel=1, queue=1)

    hashed = await hashing.hash("password")

    hashing.close()
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_outcomes_are_counted(people: People) -> None:
    """Metrics: success and failure."""

    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("razvilka_auth_logins_total", {"outcome": outcome}) or 0

    await people.seed()
    before = counted("success"), counted("wrong_password")

    await people.refused_login()
    await people.log_in()

    assert (counted("success"), counted("wrong_password")) == (before[0] + 1, before[1] + 1)


async def test_the_address_may_be_written_otherwise(people: People) -> None:
    """Capitals and blanks around it do not matter."""
    await people.seed()

    login = await people.log_in(f"  {EMAIL.upper()} ")

    assert login.profile.email == EMAIL
    assert (await people.call(pb.GetSessionRequest(session_id=login.session_id))).profile == login.profile
