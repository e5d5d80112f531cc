"""The second factor."""

from __future__ import annotations

import asyncio
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import asyncpg
import pyotp
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason, ServiceError
from servicekit.trust.sealing import CannotOpen, Sealer
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, StartPeople, audit_actions
from services.auth.tests.conftest import PEPPER, settings_for

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_wrong_codes_let_nobody_in(people: People) -> None:
    """Wrong, malformed, too old, too new, and other people's; the password alone says only that a code is needed."""
    totp, _ = await people.enable_totp(await people.seed())
    now = people.clock.now()
    away = [totp.at(now, counter_offset=steps) for steps in (-2, 2)]
    wrong = [pyotp.TOTP(pyotp.random_base32()).at(now), "abcdef", "١٢٣٤٥٦", "\0", "AAAA-BBBB-CCCC-DDDD", *away]

    bare = await people.refused_login(EMAIL, PASSWORD)
    refusals: list[ServiceError] = []
    for code in wrong:
        refusals.append(await people.refused_login(EMAIL, PASSWORD, code=code, ip=f"10.0.{len(refusals)}.1"))
    wrong_password = await people.refused_login(code=totp.at(now), ip="10.1.0.1")

    assert bare.reason is ErrorReason.SECOND_FACTOR_REQUIRED
    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_CREDENTIALS}
    assert {refusal.param for refusal in refusals} == {"totp_code"}
    assert (wrong_password.reason, wrong_password.param) == (ErrorReason.INVALID_CREDENTIALS, None)


@pytest.mark.parametrize("steps", [-1, 0, 1])
async def test_the_telephones_clock_may_be_one_step_off(people: People, steps: int) -> None:
    """RFC 6238 5.2."""
    totp, _ = await people.enable_totp(await people.seed())

    login = await people.log_in(code=totp.at(people.clock.now(), counter_offset=steps))

    assert login.profile.totp_enabled


async def test_a_code_counts_once(people: People) -> None:
    """Item 35: neither again nor after a newer one; the code that switched it on is used up by that."""
    user_id = await people.seed()
    totp = pyotp.TOTP((await people.call(pb.EnrollTotpRequest(user_id=user_id, password=PASSWORD))).secret)
    first = totp.at(people.clock.now())
    await people.call(pb.ConfirmTotpRequest(user_id=user_id, code=first))
    confirmed_with = await people.refused_login(EMAIL, PASSWORD, code=first)
    people.clock.advance(60)
    code = totp.at(people.clock.now())
    await people.log_in(code=code)

    again = await people.refused_login(EMAIL, PASSWORD, code=code)
    older = await people.refused_login(EMAIL, PASSWORD, code=totp.at(people.clock.now(), counter_offset=-1))

    assert {each.reason for each in (confirmed_with, again, older)} == {ErrorReason.INVALID_CREDENTIALS}


async def test_of_two_logins_with_one_code_one_is_let_in(people: People) -> None:
    """At the same moment."""
    totp, codes = await people.enable_totp(await people.seed())

    by_app = await asyncio.gather(
        *(people.log_in(code=totp.at(people.clock.now())) for _ in range(4)), return_exceptions=True
    )
    by_recovery = await asyncio.gather(
        *(people.log_in(code=codes[0], ip="198.51.100.1") for _ in range(4)), return_exceptions=True
    )

    for results in (by_app, by_recovery):
        assert sum(isinstance(result, pb.LoginResponse) for result in results) == 1
        assert {result.reason for result in results if isinstance(result, ServiceError)} == {
            ErrorReason.INVALID_CREDENTIALS
        }


async def test_recovery_codes_open_once_each(people: People, auth_pool: Pool) -> None:
    """However they are written; only their hashes are stored."""
    _, codes = await people.enable_totp(await people.seed())

    await people.log_in(code=codes[0].lower().replace("-", " "))
    again = await people.refused_login(EMAIL, PASSWORD, code=codes[0])
    await people.log_in(code=codes[1])

    stored = await auth_pool.fetch("SELECT to_jsonb(r)::text AS row FROM auth.recovery_codes AS r")
    assert len(set(codes)) == 10
    assert again.reason is ErrorReason.INVALID_CREDENTIALS
    assert not any(code in row["row"] for code in codes for row in stored)


async def test_codes_cannot_be_tried_out(people: People) -> None:
    """A wrong code is a failure like a wrong password; being asked for one is none."""
    await people.enable_totp(await people.seed())
    for _ in range(10):
        assert (await people.refused_login(EMAIL, PASSWORD)).reason is ErrorReason.SECOND_FACTOR_REQUIRED

    reasons = [(await people.refused_login(EMAIL, PASSWORD, code=f"00000{n}")).reason for n in range(7)]

    assert reasons == [ErrorReason.INVALID_CREDENTIALS] * 5 + [ErrorReason.RATE_LIMIT_EXCEEDED] * 2


async def test_enrolment_tells_the_application_in_three_forms(people: People, auth_pool: Pool) -> None:
    """Text, otpauth URI and a picture; nothing is on before the first code, and the secret is not readable at rest."""
    user_id = await people.seed()

    enrolment = await people.call(pb.EnrollTotpRequest(user_id=user_id, password=PASSWORD))

    uri = urlsplit(enrolment.otpauth_uri)
    sealed = await auth_pool.fetchval("SELECT totp_sealed FROM auth.users WHERE id = $1", user_id)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [enrolment.secret]
    assert parse_qs(uri.query)["issuer"] == ["Razvilka"]
    # Without its namespace a browser takes it for any XML and shows nothing.
    assert ElementTree.fromstring(enrolment.qr_svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert enrolment.secret.encode() not in sealed
    assert not (await people.log_in()).profile.totp_enabled


async def test_switching_on_and_off_is_proved_and_told(people: People, auth_pool: Pool) -> None:
    """A wrong code does not switch on; off needs the password and a code; mails say so."""
    user_id = await people.seed()
    enrolment = await people.call(pb.EnrollTotpRequest(user_id=user_id, password=PASSWORD))
    wrong = await people.refused(pb.ConfirmTotpRequest(user_id=user_id, code="000000"))
    totp = pyotp.TOTP(enrolment.secret)
    await people.call(pb.ConfirmTotpRequest(user_id=user_id, code=totp.at(people.clock.now())))
    again = await people.refused(pb.EnrollTotpRequest(user_id=user_id, password=PASSWORD))
    people.clock.advance(60)
    code = totp.at(people.clock.now())
    without = [
        await people.refused(pb.DisableTotpRequest(user_id=user_id, password="wrong wrong", code=code)),
        await people.refused(pb.DisableTotpRequest(user_id=user_id, password=PASSWORD, code="000000")),
    ]

    await people.call(pb.DisableTotpRequest(user_id=user_id, password=PASSWORD, code=code))

    off = await people.refused(pb.DisableTotpRequest(user_id=user_id, password=PASSWORD, code=code))
    assert (await people.log_in()).session_id
    assert (wrong.reason, again.reason, off.reason) == (
        ErrorReason.INVALID_CREDENTIALS,
        ErrorReason.CONFLICT,
        ErrorReason.CONFLICT,
    )
    assert [each.param for each in without] == ["password", "totp_code"]
    assert [mail.subject for mail in await people.mails_to(EMAIL, 2)] == [
        "Второй фактор включён",
        "Второй фактор выключен",
    ]
    assert (await audit_actions(auth_pool, user_id))[1:4] == ["totp.begun", "totp.enabled", "totp.disabled"]
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.recovery_codes") == 0


async def test_a_secret_opens_for_its_owner_only(people: People, auth_pool: Pool) -> None:
    """A sealed secret copied to another account gives no codes there."""
    totp, _ = await people.enable_totp(await people.seed())
    other = await people.seed("boris@example.ru")
    await auth_pool.execute(
        "UPDATE auth.users SET (totp_sealed, totp_enabled_at) ="
        " (SELECT totp_sealed, totp_enabled_at FROM auth.users WHERE email = $2) WHERE id = $1",
        *(other, EMAIL),
    )

    refusal = await people.refused_login("boris@example.ru", PASSWORD, code=totp.at(people.clock.now()))

    assert refusal.reason is ErrorReason.INVALID_CREDENTIALS


@pytest.mark.parametrize(
    "changed",
    [
        {"accounts": {"secret": "a new secret of the operator: long"}},
        {"key": {"pepper": "a new pepper " + "n" * 32, "previous_peppers": PEPPER}},
    ],
    ids=["own secret", "pepper"],
)
async def test_the_sealing_secret_can_be_changed(
    start_people: StartPeople, people: People, auth_dsn: str, redis_url: str, changed: dict[str, dict[str, str]]
) -> None:
    """What was sealed under an earlier secret still opens."""
    totp, _ = await people.enable_totp(await people.seed())
    settings = settings_for(auth_dsn, redis_url, **changed)

    async with start_people(settings) as later:
        login = await later.log_in(code=totp.at(people.clock.now()))

    assert login.profile.totp_enabled


@pytest.mark.parametrize("change", ["version", "key", "nonce", "text", "tag", "cut", "empty"])
def test_changed_sealed_values_do_not_open(change: str) -> None:
    """AES-GCM notices."""
    sealer = Sealer(["s" * 32], b"a test")
    sealed = bytearray(sealer.seal(b"JBSWY3DP", "anna"))
    places = {"version": 0, "key": 1, "nonce": 5, "text": 17, "tag": len(sealed) - 1}
    if change in places:
        sealed[places[change]] ^= 1
    changed = {"cut": bytes(sealed[:12]), "empty": b""}.get(change, bytes(sealed))

    with pytest.raises(CannotOpen):
        sealer.open(changed, "anna")
