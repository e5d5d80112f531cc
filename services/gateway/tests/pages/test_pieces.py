"""The pieces of the pages: texts, amounts, policies, cookies, form tokens."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from services.gateway.pages import language as language_texts
from services.gateway.pages.cookies import CookieJar
from services.gateway.pages.forms import form_token, is_own_origin, is_own_token
from services.gateway.pages.language import LANGUAGES, TEXTS, choose
from services.gateway.pages.numbers import numbers_of, typed_micro_rub
from services.gateway.pages.policy import form_targets
from services.gateway.pages.static_files import FILES


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _text(name: str) -> str:
    """Return what a text is called without the form of its noun: languages have different ones."""
    text, _, form = name.rpartition(".")
    return text if text.startswith("count.") and form in ("one", "few", "many", "other") else name


@pytest.mark.parametrize("language", LANGUAGES)
def test_nouns_have_every_form_of_their_language(language: str) -> None:
    """And no other."""
    wanted = {numbers_of(language).plural(count) for count in range(200)} | {"other"}
    found: dict[str, set[str]] = {}
    for name in TEXTS[language]:
        if name.startswith("count."):
            found.setdefault(_text(name), set()).add(name.rpartition(".")[2])

    assert found
    assert all(forms == wanted for forms in found.values())


def test_both_languages_say_everything() -> None:
    """The same names, the same things filled in, and nothing left empty."""
    russian, english = TEXTS["ru"], TEXTS["en"]

    assert {_text(name) for name in russian} == {_text(name) for name in english}
    assert [name for name in set(russian) & set(english) if _fields(russian[name]) != _fields(english[name])] == []
    assert len(russian) > 100
    assert [name for texts in TEXTS.values() for name, text in texts.items() if not text.strip()] == []


def test_quotes_are_those_of_the_language() -> None:
    """«Ёлочки» in Russian, “these” in English; templates, which are in both, have none of their own."""
    templates = Path(language_texts.__file__).parent / "templates"
    quoting = [file.name for file in templates.rglob("*.html") if re.search("[«»“”„]", file.read_text("utf-8"))]

    assert [name for name, text in TEXTS["en"].items() if re.search("[«»„]", text)] == []
    assert [name for name, text in TEXTS["ru"].items() if re.search("[“”]", text)] == []
    assert quoting == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_ends_between_a_number_and_its_unit(language: str) -> None:
    """And English writes per cent without a blank."""
    apart = {"ru": r"[\d}] (%|₽|м?с\b|КБ\b)", "en": r"[\d}] (%|₽|m?s\b|kB\b)|\d\u00a0%"}[language]

    assert [name for name, text in TEXTS[language].items() if re.search(apart, text)] == []


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (("", "", "en-GB,en;q=0.9"), "en"),
        (("", "", "de,ru;q=0.3,en;q=0.7"), "en"),
        (("", "fr-CA fr en", "ru"), "en"),
        (("ru", "en"), "ru"),
        (("", "en;q=0", "zz"), "ru"),
        (("", ";;q=x,,", ""), "ru"),
    ],
)
def test_the_first_wish_that_can_be_met_is(wishes: tuple[str, ...], expected: str) -> None:
    """Switch, wish, browser; else Russian."""
    assert choose(*wishes) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0), ("500", 500_000_000), (" 1 000 ", 10**9), ("99,9", 99_900_000), ("0.01", 10_000), ("0", 0),
        ("1.234567", 1_234_567), ("1,2345678", None), ("1 500 ₽", 1_500_000_000), ("1000000000", 10**15),
        ("1000000000,000001", None), ("9999999999", None), ("-1", None),
        ("1e3", None), ("NaN", None), (".", None), ("1.", None), ("9" * 11, None),
        ("²", None),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly_or_not_at_all(text: str, expected: int | None) -> None:
    """Money: no rounding, no guessing."""
    assert typed_micro_rub(text) == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://a.example/cb?x=1", ["https://a.example"]),
        ("https://a.example:8443/cb", ["https://a.example:8443"]),
        ("http://127.0.0.1:8399/callback", ["http://127.0.0.1:*"]),
        ("http://[::1]/cb", ["http:"]),
        ("com.example.app:/cb", ["com.example.app:"]),
        ("https://a.example; script-src *", []),
        ("https://x:y/", []),
        ("a b:/x", []),
        ("", []),
    ],
)
def test_no_address_can_widen_the_policy(uri: str, expected: list[str]) -> None:
    """A registered address becomes one source expression, or none."""
    assert form_targets([uri]) == expected


def test_form_tokens_belong_to_one_browser_and_session() -> None:
    """Any other pair is refused, and so is no browser at all."""
    token = form_token("b", "s")

    assert is_own_token(token, "b", "s")
    assert not any(is_own_token(given, *pair) for given, pair in [
        (token, ("b", "t")), (token, ("c", "s")), (form_token("", ""), ("", "")), ("я", ("b", "s")),
        ("я" * 86, ("b", "s")), ("A" * 86, ("b", "s")), ("!" * 86, ("b", "s")), (token[:-2], ("b", "s")),
    ])  # fmt: skip


def test_no_two_form_tokens_are_alike() -> None:
    """Pages are packed: a token that is the same on each of them could be guessed from their lengths."""
    tokens = {form_token("b", "s") for _ in range(8)}

    assert len(tokens) == 8
    assert all(is_own_token(token, "b", "s") for token in tokens)


def test_an_origin_is_ours_by_its_host() -> None:
    """Sec-Fetch-Site decides where a browser sends it."""
    own = {"host": "localhost:8080", "public_url": "http://127.0.0.1:8080"}

    assert is_own_origin(site="same-origin", origin="null", **own)
    assert is_own_origin(site="", origin="http://localhost:8080", **own)
    assert is_own_origin(site="", origin="http://127.0.0.1:8080", **own)
    assert not is_own_origin(site="cross-site", origin="http://localhost:8080", **own)
    assert not is_own_origin(site="", origin="http://localhost:80801", **own)


def test_a_cookie_that_comes_twice_is_none() -> None:
    """Which of the two a stranger planted, nobody knows."""
    jar = CookieJar(secure=False)
    headers = [(b"cookie", b"razvilka_session=a; x=1"), (b"cookie", b"razvilka_session=b")]

    assert jar.read(headers, "session") == ""
    assert jar.read(headers[:1], "session") == "a"
    assert jar.read([(b"cookie", b'razvilka_session="a b"')], "session") == ""
    with pytest.raises(ValueError, match="quoting"):
        jar.write("session", "a;b")


def test_files_are_known_by_their_content() -> None:
    """Sheets, scripts and picture, each with its hash."""
    assert {name.split(".")[-1] for name in FILES} == {"css", "js", "svg"}
