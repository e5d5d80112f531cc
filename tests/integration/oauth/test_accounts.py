"""Passwords, guessing, and what an answer must not tell (rules 43, 44; row login form: 20 wrong passwords)."""

import re
import secrets
import time

import pytest

from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser, any_address
from tools.browser.forms import form_with


def try_login(browser: Browser, email: str, password: str):
    form = form_with(browser.get("/login").text, "password")
    assert form is not None
    return browser.send(form, email=email, password=password)


def shape_of(page: str, email: str) -> str:
    """Return a page without what differs from visit to visit."""
    page = page.replace(email, "EMAIL")
    return re.sub(r'name="(csrf|once|pending_id|sealed)" value="[^"]*"', r'name="\1"', page)


def test_unknown_people_and_wrong_passwords_look_alike(house: House, person: Person):
    """Rule 44; row wrong password, unknown user: same page, same status, no redirect."""
    nobody = f"nobody-{secrets.token_hex(4)}@example.com"
    with house.browser() as one, house.browser() as two:
        wrong, unknown = try_login(one, person.email, "wrong-password"), try_login(two, nobody, "wrong-password")

    assert wrong.status_code == unknown.status_code
    assert wrong.status_code in (200, 400, 401, 403, 422)
    assert not wrong.is_redirect
    assert shape_of(wrong.text, person.email) == shape_of(unknown.text, nobody)
    assert sorted(wrong.headers) == sorted(unknown.headers)


def test_unknown_people_and_wrong_passwords_take_as_long(house: House):
    """Rules 43, 44: a hash is computed for both. The quickest of some, by turns, and a factor: machines are busy."""

    def seconds(email: str) -> float:
        with house.browser() as browser:
            form = form_with(browser.get("/login").text, "password")
            assert form is not None
            began = time.perf_counter()
            browser.send(form, email=email, password="wrong-password")
            return time.perf_counter() - began

    email = house.new_person().email
    pairs = [(seconds(email), seconds("nobody@example.com")) for _ in range(5)]
    known, unknown = (min(times) for times in zip(*pairs, strict=True))

    assert unknown > known / 3
    assert known > unknown / 3


@pytest.mark.parametrize(
    "email", ["", "x", "a@b\0c.example", "я@example.com", "x" * 2000 + "@example.com", "' OR 1=1 --"]
)
@pytest.mark.parametrize("password", ["", "x" * 2000, "\0", "пароль"])
def test_odd_logins_are_refused(house: House, email: str, password: str):
    """Row any: no 5xx, nothing echoed unescaped."""
    with house.browser() as browser:
        answer = try_login(browser, email, password)

    assert 400 <= answer.status_code < 500
    assert "location" not in answer.headers


def test_twenty_wrong_passwords_lock_the_guesser_out(house: House):
    """Rule 44; row 20 wrong passwords: then not even the right one opens, from there; elsewhere it does."""
    person, address = house.new_person(), any_address()
    with Browser(house.url, address=address) as guesser:
        answers = [try_login(guesser, person.email, f"wrong-{number}") for number in range(20)]
        right = try_login(guesser, person.email, person.password)

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert right.status_code == 429
    assert "razvilka_session" not in right.headers.get("set-cookie", "")
    with house.browser() as elsewhere:
        assert try_login(elsewhere, person.email, person.password).status_code in (303, 429)


def test_nobody_can_lock_others_out_of_their_own_place(house: House):
    """Rule 44: the address that a person logs in from stays open, whoever guesses elsewhere."""
    person, home = house.new_person(), any_address()
    with Browser(house.url, address=home) as own:
        assert try_login(own, person.email, person.password).status_code == 303
    with Browser(house.url) as guesser:
        for number in range(12):
            try_login(guesser, person.email, f"wrong-{number}")

    with Browser(house.url, address=home) as own:
        assert try_login(own, person.email, person.password).status_code == 303


def test_an_unknown_account_is_locked_alike(house: House):
    """Rule 44: being locked tells nothing either."""
    nobody = f"nobody-{secrets.token_hex(4)}@example.com"
    with house.browser() as guesser:
        statuses = [try_login(guesser, nobody, f"wrong-{number}").status_code for number in range(8)]
    person = house.new_person()
    with house.browser() as guesser:
        known = [try_login(guesser, person.email, f"wrong-{number}").status_code for number in range(8)]

    assert statuses == known
    assert statuses[-1] == 429


def test_a_right_password_forgets_the_wrong_ones(house: House):
    """Rule 44: reset on success."""
    person = house.new_person()
    with house.browser() as browser:
        for _ in range(3):
            for number in range(3):
                assert try_login(browser, person.email, f"wrong-{number}").status_code != 429
            assert try_login(browser, person.email, person.password).status_code == 303


def register(browser: Browser, email: str, password: str = "a password of some length 9"):
    form = form_with(browser.get("/registration").text, "password")
    assert form is not None
    return browser.send(form, email=email, password=password, name="Имя")


def test_registration_does_not_tell_who_is_there(house: House, person: Person):
    """Rule 44: a known address gets the same answer as a new one."""
    fresh = f"n{secrets.token_hex(5)}@example.com"
    with house.browser() as one, house.browser() as two:
        known, new = register(one, person.email), register(two, fresh)

    assert known.status_code == new.status_code == 200
    assert shape_of(known.text, person.email) == shape_of(new.text, fresh)


def test_a_reset_does_not_tell_who_is_there(house: House, person: Person):
    """Rule 44: nor does asking for a new password."""
    pages = []
    for email in (person.email, f"n{secrets.token_hex(5)}@example.com"):
        with house.browser() as browser:
            form = form_with(browser.get("/forgot-password").text, "email")
            assert form is not None
            answer = browser.send(form, email=email)
            pages.append((answer.status_code, shape_of(answer.text, email)))

    assert pages[0] == pages[1]


@pytest.mark.parametrize("password", ["short", "password", "12345678", "qwerty123", ""])
def test_passwords_that_everybody_tries_are_refused(house: House, password: str):
    """Rule 43: a length, a list, no rules of composition."""
    with house.browser() as browser:
        answer = register(browser, f"n{secrets.token_hex(5)}@example.com", password)

    assert answer.status_code == 400


def test_passwords_are_kept_as_argon2id(house: House, person: Person):
    """Rule 43: OWASP's floor or more."""
    row = house.stack.query("SELECT password_hash FROM auth.users WHERE id = $1", person.user_id)[0]

    found = re.match(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$", row["password_hash"])
    assert found is not None
    memory, passes, _ = map(int, found.groups())
    assert memory >= 19_456
    assert passes >= 2


def mail_to(house: House, browser: Browser, email: str) -> str:
    page = browser.get("/dev/outbox").text
    assert email in page
    found = re.search(r"(/(?:verify-email|reset-password)\?token=[A-Za-z0-9_~.-]+)", page[page.index(email) :])
    assert found is not None
    return found.group(1)


def test_a_registration_is_finished_by_mail(house: House, eventually):
    """The account opens after the link was followed and confirmed, not before; the link works once."""
    email, password = f"n{secrets.token_hex(5)}@example.com", "a password of some length 9"
    with house.browser() as browser:
        register(browser, email, password)
        assert try_login(browser, email, password).status_code != 303
        eventually(lambda: email in browser.get("/dev/outbox").text)
        link = mail_to(house, browser, email)
        form = form_with(browser.get(link).text, "token")
        assert form is not None

        assert browser.send(form).status_code == 200
        assert browser.send(form).status_code == 400

        assert try_login(browser, email, password).status_code == 303


def test_a_forgotten_password_is_replaced_by_mail(house: House, eventually):
    """All sessions end, the old password is over, the link works once."""
    person, new = house.new_person(), "quite another password 5"
    with house.browser(person) as logged_in, house.browser() as browser:
        form = form_with(browser.get("/forgot-password").text, "email")
        assert form is not None
        browser.send(form, email=person.email)
        eventually(lambda: person.email in browser.get("/dev/outbox").text)
        reset = form_with(browser.get(mail_to(house, browser, person.email)).text, "token")
        assert reset is not None

        assert browser.send(reset, password=new).status_code == 200
        assert browser.send(reset, password=new).status_code == 400

        assert logged_in.get("/console").is_redirect
        assert try_login(browser, person.email, person.password).status_code != 303
        assert try_login(browser, person.email, new).status_code == 303
