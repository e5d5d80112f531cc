"""Export and deletion of accounts."""

from __future__ import annotations

import json
from typing import TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Unauthenticated
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, audit_actions
from services.auth.tests.accounts.test_passwords import give_grant
from services.auth.tests.accounts.test_sessions import revoked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_export_tells_everything_but_secrets(people: People, auth_pool: Pool) -> None:
    """Profile, sessions, applications; no hash, no secret, nobody else. What grows is told in pages."""
    user_id = await people.seed(name="Анна")
    await people.seed("boris@example.ru")
    key = await people.auth.new_key(user_id, "laptop")
    totp, codes = await people.enable_totp(user_id)
    login = await people.log_in(code=totp.at(people.clock.now()))
    await give_grant(auth_pool, "g1", user_id)

    text = (await people.call(pb.ExportAccountRequest(user_id=user_id))).account_json

    document = json.loads(text)
    stored = await auth_pool.fetchrow(
        "SELECT password_hash, encode(totp_sealed, 'hex') AS sealed FROM auth.users WHERE id = $1", user_id
    )
    assert stored is not None
    assert document["profile"]["email"] == EMAIL
    assert document["profile"]["name"] == "Анна"
    assert [each["id"] for each in document["sessions"]] == [login.session.id]
    assert len(document["recovery_codes"]) == 10
    assert not {"api_keys", "login_attempts", "audit_log"} & set(document)
    assert [each["id"] for each in document["applications"]["grants"]] == ["g1"]
    for secret in (key.secret, login.session_id, totp.secret, stored["password_hash"], stored["sealed"], *codes):
        assert secret not in text
    assert "boris" not in text
    assert not {"password_hash", "totp_sealed", "key_hash", "code_hash"} & {
        field for part in (document["profile"], *document["recovery_codes"]) for field in part
    }


async def test_leaving_needs_the_password(people: People) -> None:
    """An unattended screen deletes nothing."""
    user_id = await people.seed()

    refusal = await people.refused(pb.DeleteAccountRequest(user_id=user_id, password="wrong wrong"))

    assert refusal.reason is ErrorReason.INVALID_CREDENTIALS
    assert (await people.log_in()).session_id


async def test_without_a_password_leaving_needs_a_fresh_session_of_ones_own(people: People, auth_pool: Pool) -> None:
    """No session, another person's, and one of an hour ago do not do."""
    user_id = await people.seed()
    await people.seed("boris@example.ru")
    mine, his = await people.log_in(), await people.log_in("boris@example.ru")
    await auth_pool.execute("UPDATE auth.users SET password_hash = NULL WHERE id = $1", user_id)
    asked = [pb.DeleteAccountRequest(user_id=user_id, session_id=secret) for secret in ("", his.session_id)]
    refusals = [await people.refused(request) for request in asked]
    people.clock.advance(601)
    refusals.append(await people.refused(pb.DeleteAccountRequest(user_id=user_id, session_id=mine.session_id)))

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_CREDENTIALS}
    assert await people.is_logged_in(mine.session_id)


async def test_everything_ends_at_once(people: People, auth_pool: Pool, redis_client: Redis) -> None:
    """Login, session, API key, grant: dead here, and every gateway is told."""
    user_id = await people.seed()
    session = await people.log_in()
    key = await people.auth.new_key(user_id)
    await give_grant(auth_pool, "g1", user_id)

    await people.call(pb.DeleteAccountRequest(user_id=user_id, password=PASSWORD))

    with pytest.raises(Unauthenticated) as refused_key:
        await people.auth.verify(key.secret)
    assert refused_key.value.reason is ErrorReason.INVALID_KEY
    assert not await people.is_logged_in(session.session_id)
    assert (await people.refused_login(EMAIL, PASSWORD)).reason is ErrorReason.INVALID_CREDENTIALS
    assert {("user", user_id), ("session", session.session.id), ("grant", "g1")} <= await revoked(redis_client)
    again = await people.refused(pb.DeleteAccountRequest(user_id=user_id, password=PASSWORD))
    assert again.reason is ErrorReason.NOT_FOUND


async def test_nothing_personal_stays(people: People, auth_pool: Pool) -> None:
    """The id remains for what was billed; the address is nowhere and can be registered anew."""
    user_id = await people.seed(name="Анна Каренина")
    await people.enable_totp(user_id)
    await people.auth.new_key(user_id, "Anna's laptop")
    await people.call(pb.RequestPasswordResetRequest(email=EMAIL))
    await people.token_in_mail(EMAIL, 2)
    await auth_pool.execute("INSERT INTO auth.invitations VALUES ($1, $2, 1, now())", user_id, EMAIL)

    await people.call(pb.DeleteAccountRequest(user_id=user_id, password=PASSWORD))

    farewell = await people.mails_to(EMAIL)
    await auth_pool.execute("DELETE FROM auth.mails")
    tables = await auth_pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'auth'")
    text = ""
    for table in tables:
        rows = await auth_pool.fetch(f"SELECT to_jsonb(t)::text AS row FROM auth.{table['tablename']} AS t")
        text += "\n".join(row["row"] for row in rows)
    assert [mail.subject for mail in farewell] == ["Учётная запись удалена"]
    assert user_id in text
    for personal in (EMAIL, "Каренина", "laptop", "Firefox", "argon2id"):
        assert personal not in text
    assert "user.deleted" in await audit_actions(auth_pool, user_id)
    assert await people.seed(EMAIL) != user_id


async def test_a_disabled_user_holds_no_valid_key(people: People, auth_pool: Pool) -> None:
    """Item 32."""
    user_id = await people.seed()
    key = await people.auth.new_key(user_id)

    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", user_id)

    with pytest.raises(Unauthenticated) as refused:
        await people.auth.verify(key.secret)
    assert refused.value.reason is ErrorReason.INVALID_KEY
