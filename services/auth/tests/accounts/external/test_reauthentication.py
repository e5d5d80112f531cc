"""No password means another proof, never none."""

from __future__ import annotations

from typing import Any

import pytest
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason, ServiceError
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People
from services.auth.tests.accounts.external.external_kit import Browser
from services.auth.tests.accounts.oidc_server import OidcServer

STOLEN = "mallory@example.ru"
TOO_LATE_S = 601


async def external_account(people: People) -> tuple[str, str]:
    """Return the id and the session of somebody who came by another provider and has no password."""
    login = await (await Browser(people).go()).finish()
    return login.profile.user_id, login.session_id


async def test_a_key_takes_no_account_over_that_has_no_password(external_people: People) -> None:
    """It used to change the e-mail without any proof, have the password reset there, and own the account."""
    user_id, _ = await external_account(external_people)

    refusals = [
        await external_people.refused(asked)
        for asked in (
            pb.UpdateProfileRequest(user_id=user_id, email=STOLEN),
            pb.UpdateProfileRequest(user_id=user_id, email=STOLEN, current_password="anything"),
            pb.UpdateProfileRequest(user_id=user_id, email=STOLEN, totp_code="123456"),
        )
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_CREDENTIALS}
    assert not [mail for mail in await external_people.outbox() if mail.to == STOLEN]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(pb.UpdateProfileRequest(email=STOLEN), id="e-mail"),
        pytest.param(pb.EnrollTotpRequest(), id="second factor"),
        pytest.param(pb.DeleteAccountRequest(), id="deletion"),
    ],
)
async def test_without_a_password_the_login_must_be_fresh(
    external_people: People, provider: OidcServer, change: Any
) -> None:
    """Of that account, within ten minutes; a key alone has no login at all."""
    user_id, session = await external_account(external_people)
    await external_people.seed("boris@example.ru")
    foreign = (await external_people.log_in("boris@example.ru")).session_id
    change.user_id = user_id
    refusals = []
    for secret in ("", foreign):
        change.session_id = secret
        refusals.append(await external_people.refused(change))
    change.session_id = session
    external_people.clock.advance(TOO_LATE_S)
    provider.now_s += TOO_LATE_S
    refusals.append(await external_people.refused(change))

    assert {(each.reason, each.param) for each in refusals} == {(ErrorReason.INVALID_CREDENTIALS, "session_id")}
    change.session_id = (await (await Browser(external_people).go()).finish()).session_id
    await external_people.call(change)


async def test_a_code_of_the_second_factor_stands_in_for_the_password(external_people: People) -> None:
    """It counts once. Who has a second factor and no password needs the code: a login by a provider asked for none."""
    user_id, session = await external_account(external_people)
    totp, _ = await external_people.enable_totp_by(user_id, session)
    change = pb.UpdateProfileRequest(user_id=user_id, email=STOLEN, session_id=session)

    bare = await external_people.refused(change)
    change.totp_code = totp.at(external_people.clock.now())
    await external_people.call(change)
    again = await external_people.refused(change)

    assert (bare.reason, again.reason) == (ErrorReason.INVALID_CREDENTIALS, ErrorReason.INVALID_CREDENTIALS)


async def test_a_password_is_needed_where_there_is_one(people: People) -> None:
    """However fresh the login: an unattended screen has one."""
    user_id = await people.seed()
    session = (await people.log_in()).session_id

    refusals = [
        await people.refused(pb.EnrollTotpRequest(user_id=user_id, session_id=session)),
        await people.refused(pb.UpdateProfileRequest(user_id=user_id, email=STOLEN, session_id=session)),
        await people.refused(pb.DeleteAccountRequest(user_id=user_id, session_id=session)),
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_CREDENTIALS}


async def test_a_person_makes_keys_only_in_a_fresh_session(people: People) -> None:
    """Their own; when it is older, the password makes it fresh again."""
    user_id = await people.seed()
    await people.seed("boris@example.ru")
    session, foreign = (await people.log_in()).session_id, (await people.log_in("boris@example.ru")).session_id

    refusals = [await refused_key(people, user_id, secret) for secret in ("", "made-up", foreign)]
    made = await new_key(people, user_id, session)
    people.clock.advance(TOO_LATE_S)
    refusals.append(await refused_key(people, user_id, session))
    wrong = await people.refused(pb.ReauthenticateRequest(session_id=session, password="wrong wrong"))
    refusals.append(await refused_key(people, user_id, session))
    await people.call(pb.ReauthenticateRequest(session_id=session, password=PASSWORD))

    assert {(each.reason, each.param) for each in refusals} == {(ErrorReason.INVALID_CREDENTIALS, "session_id")}
    assert wrong.reason is ErrorReason.INVALID_CREDENTIALS
    assert made.secret
    assert (await new_key(people, user_id, session)).secret


async def test_nobody_renews_a_session_that_is_not_there(people: People) -> None:
    """The password of whom?"""
    refusal = await people.refused(pb.ReauthenticateRequest(session_id="made-up", password=PASSWORD))

    assert refusal.reason is ErrorReason.INVALID_TOKEN


async def test_wrong_codes_of_strangers_lock_nobody_out(people: People) -> None:
    """Fifty from ten accounts, all from nowhere that is known, used to shut out everybody else."""
    innocent = await people.seed(EMAIL)
    strangers = [await people.seed(f"u{number}@example.ru") for number in range(10)]
    for stranger in strangers:
        await people.call(pb.EnrollTotpRequest(user_id=stranger, password=PASSWORD), ip="")
        for _ in range(5):
            await people.refused(pb.ConfirmTotpRequest(user_id=stranger, code="000000"), ip="")

    await people.call(pb.EnrollTotpRequest(user_id=innocent, password=PASSWORD), ip="")
    refusal = await people.refused(pb.ConfirmTotpRequest(user_id=innocent, code="000000"), ip="")

    assert refusal.reason is ErrorReason.INVALID_CREDENTIALS


async def new_key(people: People, user_id: str, session: str) -> auth_pb2.CreateApiKeyResponse:
    """Make a key as the console does."""
    request = auth_pb2.CreateApiKeyRequest(user_id=user_id, name="laptop", session_id=session)
    answer: auth_pb2.CreateApiKeyResponse = await people.auth.call(request)
    return answer


async def refused_key(people: People, user_id: str, session: str) -> ServiceError:
    """Return the error that making a key is answered with."""
    with pytest.raises(ServiceError) as caught:
        await new_key(people, user_id, session)
    return caught.value
