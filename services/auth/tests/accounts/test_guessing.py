"""Guessing is slowed, and nobody can lock another person out."""

from __future__ import annotations

import asyncio

import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing import FakeClock
from services.auth.accounts.cache.guess_counters import GuessRules, LocalGuesses
from services.auth.accounts.domain.guessing import Attempt, Dimension, Pause
from services.auth.settings import AuthSettings
from services.auth.shared.domain.origin import Origin, origin_of
from services.auth.tests.accounts.conftest import ELSEWHERE, EMAIL, HOME, PASSWORD, People, StartPeople
from services.auth.tests.conftest import settings_for


async def test_after_20_wrong_passwords_the_right_one_is_refused_from_there_only(people: People) -> None:
    """Rule 44: the pair of account and address is shut for a while, with Retry-After; another address is not."""
    await people.seed()
    wrong = [await people.refused_login(password=f"wrong wrong {n}") for n in range(20)]

    right = await people.refused_login(password=PASSWORD)

    assert [refusal.reason for refusal in wrong[:5]] == [ErrorReason.INVALID_CREDENTIALS] * 5
    assert {refusal.reason for refusal in wrong[5:]} == {ErrorReason.RATE_LIMIT_EXCEEDED}
    assert right.reason is ErrorReason.RATE_LIMIT_EXCEEDED
    assert right.retry_after_s == pytest.approx(10)
    assert (await people.log_in(ip=ELSEWHERE)).session_id


async def test_pauses_double_and_end(people: People) -> None:
    """Each further failure costs twice as long; a success clears the account."""
    await people.seed()
    for _ in range(5):
        await people.refused_login()
    pauses = []
    for _ in range(3):
        refusal = await people.refused_login()
        pauses.append(refusal.retry_after_s)
        people.clock.advance(refusal.retry_after_s or 0)
        assert (await people.refused_login()).reason is ErrorReason.INVALID_CREDENTIALS

    people.clock.advance(80)

    assert pauses == [pytest.approx(10), pytest.approx(20), pytest.approx(40)]
    await people.log_in()
    assert (await people.refused_login()).reason is ErrorReason.INVALID_CREDENTIALS


async def test_a_clock_that_is_put_right_shuts_nobody_out_for_hours(people: People) -> None:
    """A pause that was counted while the clock was five hours ahead is over then; failures still count."""
    await people.seed()
    people.clock.jump(5 * 3600)
    for _ in range(5):
        await people.refused_login()
    paused = await people.refused_login()
    people.clock.jump(-5 * 3600)

    again = await people.refused_login()
    after_it = await people.refused_login()

    assert (paused.reason, again.reason) == (ErrorReason.RATE_LIMIT_EXCEEDED, ErrorReason.INVALID_CREDENTIALS)
    assert after_it.retry_after_s == pytest.approx(20)


async def test_unknown_accounts_are_counted_alike(people: People) -> None:
    """Rule 44: a lock does not say that there is an account."""
    answers = [await people.refused_login("nobody@example.ru") for _ in range(6)]

    assert [answer.reason for answer in answers[4:]] == [
        ErrorReason.INVALID_CREDENTIALS,
        ErrorReason.RATE_LIMIT_EXCEEDED,
    ]


async def test_blanks_around_the_address_give_no_further_guesses(people: People) -> None:
    """However many there are: the address that is looked up is the one that is counted."""
    await people.seed()
    blanks = [" " * (255 - shown) for shown in range(5)]
    for before in blanks:
        assert (await people.refused_login(before + EMAIL)).reason is ErrorReason.INVALID_CREDENTIALS

    refusal = await people.refused_login(EMAIL)

    assert refusal.reason is ErrorReason.RATE_LIMIT_EXCEEDED


async def test_many_addresses_slow_strangers_but_not_the_owner(people: People) -> None:
    """Failures from everywhere shut the account to addresses it never logged in from; its owner's is known."""
    await people.seed()
    await people.log_in(ip=HOME)
    for n in range(10):
        await people.refused_login(ip=f"198.51.{n}.1")

    stranger = await people.refused_login(password=PASSWORD, ip=ELSEWHERE)

    assert stranger.reason is ErrorReason.RATE_LIMIT_EXCEEDED
    assert stranger.retry_after_s is not None
    assert stranger.retry_after_s <= 60
    assert (await people.log_in(ip=HOME)).session_id


async def test_an_owner_stays_known_when_their_host_takes_another_address(people: People) -> None:
    """With IPv6 it does every day: strangers who guess without end would keep the owner out."""
    await people.seed()
    await people.log_in(ip="2001:db8:7:1:a::1")
    for n in range(10):
        await people.refused_login(ip=f"198.51.{n}.1")

    assert (await people.refused_login(ip="2001:db8:7:2::1")).reason is ErrorReason.RATE_LIMIT_EXCEEDED
    assert (await people.log_in(ip="2001:db8:7:1:b::2")).session_id


async def test_a_host_gains_no_guesses_by_another_of_its_addresses(people: People) -> None:
    """It has 2**64 of IPv6: each had five guesses at an account, and fifty at all of them."""
    await people.seed()
    wrong = [await people.refused_login(ip=f"2001:db8:7:1::{n}") for n in range(1, 7)]

    assert [refusal.reason for refusal in wrong[:5]] == [ErrorReason.INVALID_CREDENTIALS] * 5
    assert wrong[5].reason is ErrorReason.RATE_LIMIT_EXCEEDED


async def test_one_address_cannot_try_all_accounts(people: People) -> None:
    """Stuffing: the address is counted over accounts, and a login of one's own does not clear it."""
    await people.seed("mallory@example.ru")
    for n in range(50):
        await people.refused_login(f"user{n}@example.ru")
        if n % 10 == 0:
            await people.log_in("mallory@example.ru")

    refusal = await people.refused_login("one-more@example.ru")

    assert refusal.reason is ErrorReason.RATE_LIMIT_EXCEEDED


@pytest.mark.parametrize("pattern", ["203.0.113.{}", "2001:db8:7:{}::1"], ids=["/24", "/48"])
async def test_one_network_cannot_try_all_accounts(
    start_people: StartPeople, people_settings: AuthSettings, pattern: str
) -> None:
    """Neighbours are counted together; another network is not."""
    settings = people_settings.model_copy(
        update={"guess": people_settings.guess.model_copy(update={"network_free": 8})}
    )
    async with start_people(settings) as people:
        for n in range(8):
            await people.refused_login(f"user{n}@example.ru", ip=pattern.format(n + 1))

        same = await people.refused_login("x@example.ru", ip=pattern.format(99))
        other = await people.refused_login("x@example.ru", ip=ELSEWHERE)

    assert same.reason is ErrorReason.RATE_LIMIT_EXCEEDED
    assert other.reason is ErrorReason.INVALID_CREDENTIALS


async def test_of_two_pauses_the_longer_is_told(start_people: StartPeople, people_settings: AuthSettings) -> None:
    """Whoever came again after the pause of the pair was refused by that of the address."""
    guess = people_settings.guess.model_copy(update={"ip_free": 4, "ip_first_s": 40.0})
    async with start_people(people_settings.model_copy(update={"guess": guess})) as people:
        await people.seed()
        for _ in range(3):
            await people.refused_login("other@example.ru")
        for seconds in (40, 80, 160, 320, 0):
            await people.refused_login()
            people.clock.advance(seconds)

        refusal = await people.refused_login()
        people.clock.advance(refusal.retry_after_s or 0)

        assert refusal.retry_after_s == pytest.approx(640)
        assert (await people.log_in()).session_id


async def test_the_right_password_brings_no_pause_before_the_code(people: People) -> None:
    """After five wrong ones and a pause the form that asks for the second factor was refused at once."""
    user_id = await people.seed()
    totp, _ = await people.enable_totp(user_id)
    for _ in range(5):
        await people.refused_login()
    people.clock.advance(10)

    asked = await people.refused_login(password=PASSWORD)
    session = await people.log_in(code=totp.at(people.clock.now()))

    assert asked.reason is ErrorReason.SECOND_FACTOR_REQUIRED
    assert session.session_id


async def test_who_logs_in_shuts_nobody_out_at_a_busy_address(
    start_people: StartPeople, people_settings: AuthSettings
) -> None:
    """Failures of others stay counted; what was no failure adds no pause to them."""
    guess = people_settings.guess.model_copy(update={"ip_free": 3})
    async with start_people(people_settings.model_copy(update={"guess": guess})) as people:
        await people.seed()
        for n in range(3):
            await people.refused_login(f"user{n}@example.ru")
        paused = await people.refused_login(password=PASSWORD)
        people.clock.advance(paused.retry_after_s or 0)

        for _ in range(2):
            assert (await people.log_in()).session_id
        longer = [await people.refused_login(f"more{n}@example.ru") for n in range(2)]

    assert [each.reason for each in longer] == [ErrorReason.INVALID_CREDENTIALS, ErrorReason.RATE_LIMIT_EXCEEDED]
    assert longer[1].retry_after_s == pytest.approx(2 * (paused.retry_after_s or 0))


async def test_a_burst_is_not_fifty_first_attempts(people: People) -> None:
    """Attempts are counted before passwords are looked at."""
    await people.seed()

    results = await asyncio.gather(*(people.log_in(password=f"guess {n}") for n in range(50)), return_exceptions=True)

    reasons = [result.reason for result in results if isinstance(result, ServiceError)]
    assert len(reasons) == 50
    assert reasons.count(ErrorReason.INVALID_CREDENTIALS) == 5
    assert reasons.count(ErrorReason.RATE_LIMIT_EXCEEDED) == 45


async def test_guesses_inside_a_session_are_slowed_without_redis_too(
    start_people: StartPeople, people: People, auth_dsn: str
) -> None:
    """Redis gone: this process counts for itself and sooner; nobody can log in, whatever the password."""
    user_id = await people.seed()
    settings = settings_for(auth_dsn, "redis://127.0.0.1:1/0", password={"memory_kib": 64, "passes": 1})
    guess = pb.ChangePasswordRequest(user_id=user_id, current_password="wrong wrong", new_password="new new new")

    async with start_people(settings) as blind:
        reasons = [(await blind.refused(guess)).reason for _ in range(4)]
        logins = [await blind.refused_login(), await blind.refused_login(password=PASSWORD)]

    assert reasons == [ErrorReason.INVALID_CREDENTIALS] * 2 + [ErrorReason.RATE_LIMIT_EXCEEDED] * 2
    assert {login.reason for login in logins} == {ErrorReason.CACHE_ERROR}


async def test_guesses_at_the_login_do_not_shut_out_who_is_logged_in(people: People) -> None:
    """Inside a session there are counters of its own."""
    user_id = await people.seed()
    for _ in range(20):
        await people.refused_login(EMAIL)

    await people.call(
        pb.ChangePasswordRequest(user_id=user_id, current_password=PASSWORD, new_password="another good one")
    )

    assert (await people.log_in(password="another good one", ip=ELSEWHERE)).session_id


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(0, 0), (4, 0), (5, 10), (6, 20), (9, 160), (12, 900), (10_000, 900)]
)
def test_pause_doubles_up_to_its_longest(failures: int, pause_s: float) -> None:
    """Nothing before `free`, then 10, 20, 40 … 900 seconds."""
    assert Pause(5, 10.0, 900.0).after(failures) == pause_s


@pytest.mark.parametrize(
    ("given", "ip", "host", "network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::1", "2001:db8::/64", "2001:db8::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64", "fe80::/48"),
        ("garbage", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_origins_are_cleaned(given: str, ip: str, host: str, network: str) -> None:
    """One address has one form; what is none counts as one."""
    origin = origin_of(given, "curl\r\n\x1b[31m" + "x" * 500)

    assert (origin.ip, origin.host, origin.network) == (ip, host, network)
    assert origin.user_agent.isprintable()
    assert len(origin.user_agent) == 256


def test_local_counters_forget_and_stay_small(clock: FakeClock) -> None:
    """The window passes; the number of counters has an end."""
    pauses = dict.fromkeys(Dimension, Pause(2, 10.0, 10.0))
    guesses = LocalGuesses(GuessRules("login", pauses, 60.0, 60))
    mine = Attempt("anna", Origin("203.0.113.7"))

    first, second = guesses.count(mine, 0), guesses.count(mine, 1)
    later = guesses.count(mine, 200_000)
    for n in range(5_500):
        guesses.count(Attempt(f"user{n}", Origin(f"10.{n // 250}.{n % 250}.1")), 200_000)

    assert first is None
    assert second is not None
    assert later is None
    assert len(guesses._failures) == LocalGuesses.MAX_COUNTERS
