"""What notifications decide, without anything around it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from servicekit.errors import InvalidRequest
from servicekit.testing.fake_clock import MIDDAY
from services.usage.notifications.domain.channel import WebhookSecret, checked_name, checked_target, new_secret, rotated
from services.usage.notifications.domain.delivery import PAUSES_S, Outcome, Problem, next_attempt, rest_until
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import RULE_KINDS, ChannelKind, Disabled, EventKind
from services.usage.notifications.domain.person import Person
from services.usage.notifications.domain.rule import THRESHOLDS, new_rule
from services.usage.notifications.domain.signature import signed_headers
from services.usage.notifications.domain.texts import TEXTS
from services.usage.notifications.domain.watch import PACE, highest_reached, next_step, reached_at, summary_day
from services.usage.notifications.domain.wording import money, worded, zone_of
from services.usage.notifications.sending.webhook import seconds_of

CHANNEL = UUID(int=1)
FAILED = Outcome(Problem.STATUS, 500)


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/",
        "ftp://hook.example/",
        "https:///hook",
        "https://user:word@hook.example/",
        "https://hook.example:0/",
        "https://hook.example:99999/",
        "https://hook.example/a b",
        "https://hook.example/\n",
        "https://hook.example/#part",
        "https://пример.рф/",
        "https://hook.example/" + "a" * 2048,
        "",
    ],
)
def test_what_is_no_https_address_is_refused_when_it_is_given(url: str) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequest) as caught:
        checked_target(ChannelKind.WEBHOOK, url, plaintext=False)

    assert caught.value.param == "url"


@pytest.mark.parametrize(
    ("kind", "target", "param"),
    [
        (ChannelKind.TELEGRAM, "", "chat_id"),
        (ChannelKind.TELEGRAM, "12x", "chat_id"),
        (ChannelKind.TELEGRAM, "@a", "chat_id"),
        (ChannelKind.EMAIL, "somebody@example.ru", "chat_id"),
    ],
)
def test_what_can_go_nowhere_is_refused(kind: ChannelKind, target: str, param: str) -> None:
    """Mails go to the account's own address only: nobody has others written to."""
    with pytest.raises(InvalidRequest) as caught:
        checked_target(kind, target, plaintext=False)

    assert caught.value.param == param


def test_a_name_is_one_line() -> None:
    """It becomes the subject of a mail."""
    with pytest.raises(InvalidRequest, match="printable"):
        checked_name("a\r\nBcc: others@example.ru")


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of github.com/standard-webhooks/standard-webhooks, in its libraries' tests."""
    secret = WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', [secret])

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_rotation_keeps_the_youngest_secret_only() -> None:
    """Two that sign are enough, however often somebody rotates."""
    first = (new_secret(),)
    second = rotated(first, MIDDAY)

    third = rotated(second, MIDDAY + timedelta(hours=1))

    assert [secret.until for secret in third] == [None, MIDDAY + timedelta(hours=1)]
    assert third[1].value == second[0].value
    assert first[0].value not in {secret.value for secret in third}
    assert first[0].value not in repr(first)


def test_pauses_grow_from_seconds_to_a_day_and_end_after_three_days() -> None:
    """At most a fifth longer than the table says, never shorter."""
    rng = random.Random(1)
    times = [next_attempt(attempt, FAILED, MIDDAY, rng) for attempt in range(1, len(PAUSES_S) + 2)]

    pauses = [(at - MIDDAY).total_seconds() for at in times if at is not None]
    assert all(least <= pause <= least * 1.2 for least, pause in zip(PAUSES_S, pauses, strict=True))
    assert times[-1] is None
    assert timedelta(days=3) < timedelta(seconds=sum(PAUSES_S)) < timedelta(days=4)


@pytest.mark.parametrize(
    ("outcome", "pause_s"),
    [
        (Outcome(Problem.STATUS, 429, retry_after_s=600), 600),
        (Outcome(Problem.STATUS, 429, retry_after_s=10**9), 86_400),
        (Outcome(Problem.STATUS, 429, retry_after_s=1), 5),
        (Outcome(Problem.STATUS, 410, ends=Disabled.GONE), None),
        (Outcome(Problem.REFUSED), None),
        (Outcome(), None),
    ],
)
def test_a_receiver_may_ask_for_more_time_but_not_for_ever(outcome: Outcome, pause_s: float | None) -> None:
    """And what is over is not tried again."""
    at = next_attempt(1, outcome, MIDDAY, random.Random(1))

    assert at is None if pause_s is None else at is not None and pause_s <= (at - MIDDAY).total_seconds() <= pause_s + 1


def test_a_channel_rests_five_minutes_at_most() -> None:
    """Its other deliveries wait no longer for one that fails."""
    rests = [(rest_until(FAILED, failures, MIDDAY) - MIDDAY).total_seconds() for failures in (1, 2, 3, 99)]

    assert rests == [5, 300, 300, 300]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        (f"Fri, 31 Dec {'9' * 20} 23:59:59 GMT", None),
        ("9" * 400, 999_999_999),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    """RFC 9110."""
    assert seconds_of(header, MIDDAY) == seconds


@pytest.mark.parametrize(
    ("spent", "reached"),
    [
        (0, None),
        (49_999_999, None),
        (50_000_000, 50),
        (79_999_999, 50),
        (90_000_001, 90),
        (100_000_000, 100),
        (10**12, 100),
    ],
)
def test_a_share_is_reached_to_the_micro_rouble(spent: int, reached: int | None) -> None:
    """Of a budget of 100 roubles."""
    assert highest_reached(THRESHOLDS, spent, 100_000_000) == reached


@pytest.mark.parametrize(
    ("days", "step"), [(91, None), (90, 90), (31, 90), (30, 30), (13, 14), (1.5, 7), (0.5, 1), (0, None), (-1, None)]
)
def test_an_end_is_told_of_in_steps(days: float, step: int | None) -> None:
    """The narrowest one that has come; nothing of what is over."""
    assert next_step(timedelta(days=days), (90, 30, 14, 7, 1)) == step


def test_a_pace_needs_two_halves() -> None:
    """What was spent on one day of a week is no pace."""
    assert reached_at(70, (35, 35), MIDDAY, MIDDAY - PACE) == MIDDAY + timedelta(days=7)
    assert reached_at(70, (70, 0), MIDDAY, MIDDAY - PACE) is None
    assert reached_at(0, (35, 35), MIDDAY, MIDDAY - PACE) is None
    assert reached_at(10**15, (1, 1), MIDDAY, MIDDAY - PACE) is None


def test_yesterday_is_over_at_nine_where_somebody_is() -> None:
    """Moscow's nine o'clock is six in London."""
    at = datetime(2026, 11, 23, 6, tzinfo=UTC)

    assert summary_day(at, zone_of("Europe/Moscow")) == date(2026, 11, 22)
    assert summary_day(at, zone_of("Europe/London")) is None
    assert summary_day(at, zone_of("Nowhere/Land")) is None


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_has_words_in_both_languages(kind: EventKind, language: str) -> None:
    """Whatever its facts hold or lack, and what they hold is never read as a pattern."""
    facts = {"name": "{secret}\r\nBcc: x", "summary": "s", "limit_micro_rub": 1, "period_ends_at": MIDDAY.isoformat()}
    for given in ({}, facts):
        wording = worded(Event(CHANNEL, "u", kind, given, MIDDAY), Person("u", "", language, "Asia/Tokyo"))

        assert wording.subject
        assert "\n" not in wording.subject
        assert (kind, language) in TEXTS


@pytest.mark.parametrize(
    ("micro_rub", "ru", "en"),
    [
        (1_234_567_500_000, "1 234 567,50 ₽", "₽1,234,567.50"),
        (4_999, "0,00 ₽", "₽0.00"),
        (5_000, "0,01 ₽", "₽0.01"),
        (-1_500_000, "-1,50 ₽", "-₽1.50"),
    ],
)
def test_money_is_written_as_people_write_it(micro_rub: int, ru: str, en: str) -> None:
    """With a space that no line breaks at."""
    assert money(micro_rub, "ru") == ru.replace(" ", "\u00a0")
    assert money(micro_rub, "en") == en


@pytest.mark.parametrize(
    ("subject", "name", "ru", "en"),
    [
        ("user:u-1", "user:u-1", "Бюджет учётной записи: израсходовано", "Budget of the account: "),
        ("key:k-1", "Магазин", "Бюджет ключа «Магазин»: израсходовано", "Budget of the key “Магазин”: "),
        ("key:k-1", "key:k-1", "Бюджет ключа «k-1»: израсходовано", "Budget of the key “k-1”: "),
        ("grant:g-1", "Чат", "Бюджет приложения «Чат»: израсходовано", "Budget of the application “Чат”: "),
        (
            "organization:o",
            "Склад",
            "Бюджет организации «Склад»: израсходовано",
            "Budget of the organization “Склад”: ",
        ),
    ],
)
def test_a_mail_says_whose_budget_it_is(subject: str, name: str, ru: str, en: str) -> None:
    """In words: nobody knows their account by its id."""
    event = Event(CHANNEL, "u", EventKind.BUDGET_THRESHOLD, {"subject": subject, "name": name, "threshold": 80}, MIDDAY)

    said = {each: worded(event, Person("u", "", each, "UTC")) for each in ("ru", "en")}

    assert said["ru"].text.startswith(ru)
    assert said["en"].text.startswith(en)
    assert (said["ru"].subject, said["en"].subject) == ("Израсходовано 80\u00a0% бюджета", "80% of a budget is spent")


def test_a_mail_writes_counts_and_channels_without_a_name_as_people_do() -> None:
    """Millions of tokens can be read; mails are no "email" in Russian."""
    facts = {"requests": 12_345, "tokens_input": 1_234_567, "tokens_output": 7, "name": "email"}

    def said(kind: EventKind, language: str) -> str:
        return worded(Event(CHANNEL, "u", kind, facts, MIDDAY), Person("u", "", language, "UTC")).text

    assert "запросов: 12\u00a0345, токенов: 1\u00a0234\u00a0567 на входе и 7" in said(EventKind.DAILY_SUMMARY, "ru")
    assert "requests: 12,345, tokens: 1,234,567 in and 7 out" in said(EventKind.DAILY_SUMMARY, "en")
    assert "канал «Почта» работает" in said(EventKind.TEST, "ru")
    assert "the channel “Mail” works" in said(EventKind.TEST, "en")


@pytest.mark.parametrize(
    ("kind", "given", "param"),
    [
        ("nothing.known", {}, "kind"),
        ("budget.recovered", {}, "kind"),
        ("budget.threshold", {"thresholds": [0]}, "thresholds"),
        ("budget.threshold", {"thresholds": [101]}, "thresholds"),
        ("budget.threshold", {"thresholds": list(range(1, 12))}, "thresholds"),
        ("report.ready", {"thresholds": [50]}, "thresholds"),
        ("report.ready", {"subject": "nobody"}, "subject"),
        ("report.ready", {"subject": "key:"}, "subject"),
        ("report.ready", {"cooldown_s": -1}, "cooldown_s"),
        ("report.ready", {"channel_ids": []}, "channels"),
    ],
)
def test_a_rule_that_makes_no_sense_names_the_field(kind: str, given: dict[str, object], param: str) -> None:
    """And what is allowed."""
    says: dict[str, object] = {"channel_ids": [CHANNEL], "subject": "", "thresholds": [], "cooldown_s": 0, **given}

    with pytest.raises(InvalidRequest) as caught:
        new_rule(kind, **says)  # type: ignore[arg-type]

    assert caught.value.param == param


def test_a_rule_of_budgets_has_the_usual_shares() -> None:
    """When it names none; the others have none."""
    made = {kind: new_rule(kind, [CHANNEL], subject="", thresholds=[], cooldown_s=0) for kind in RULE_KINDS}

    assert made[EventKind.BUDGET_THRESHOLD].thresholds == (50, 80, 90, 100)
    assert {says.thresholds for kind, says in made.items() if kind is not EventKind.BUDGET_THRESHOLD} == {()}
