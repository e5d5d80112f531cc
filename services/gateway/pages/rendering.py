"""Renders templates: autoescaped, in the visitor's language, with the token that forms need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.gateway.pages.language import LANGUAGES, TEXTS
from services.gateway.pages.static_files import URLS

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_FORMATS: Final = {"ru": "%d.%m.%Y %H:%M", "en": "%d %b %Y, %H:%M"}


class Translator:
    """Texts of one language, as templates call for them."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = TEXTS[language]

    def __call__(self, name: str, /, **values: object) -> str:
        """Return the text; {names} in it are filled in. The result is escaped where it is shown."""
        text = self._texts[name]
        return text.format(**values) if values else text

    def known(self, name: str, fallback: str) -> str:
        """Return the text, or `fallback` when there is none by this name."""
        return self._texts.get(name, fallback)


def render(template: str, language: str, values: Mapping[str, Any], *, time_zone: str = "") -> bytes:
    """Return a page."""
    zone = _zone(time_zone)

    def moment(when: datetime | None) -> str:
        return "–" if when is None else when.astimezone(zone).strftime(_FORMATS[language])

    def instant(text: str | None) -> str:
        return moment(None if text is None else datetime.fromisoformat(text))

    page = _ENVIRONMENT.get_template(template)
    own = {
        "t": Translator(language),
        "language": language,
        "languages": LANGUAGES,
        "static": URLS,
        "moment": moment,
        "instant": instant,
    }
    return page.render({**own, **values}).encode("utf-8")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "Europe/Moscow")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def micro_rub_of(text: str) -> int | None:
    """Return roubles as a person writes them ("500", "99,90") in micro-roubles; "" is 0, None is no amount."""
    text = text.strip().replace("\u00a0", "").replace(" ", "").replace(",", ".")
    if not text:
        return 0
    whole, dot, fraction = text.partition(".")
    if not whole.isdecimal() or not whole.isascii() or len(whole) > 9 or (dot and not fraction.isdecimal()):
        return None
    if not fraction.isascii() or len(fraction) > 2:
        return None
    return int(whole) * 1_000_000 + int(fraction.ljust(2, "0") or 0) * 10_000


def roubles_of(micro_rub: int) -> str:
    """Return an amount for people: whole roubles, or with kopecks when there are any."""
    if micro_rub < 0:
        return f"−{roubles_of(-micro_rub)}"
    whole, rest = divmod(micro_rub, 1_000_000)
    grouped = f"{whole:,}".replace(",", "\u00a0")
    return f"{grouped}\u00a0₽" if not rest else f"{grouped},{rest // 10_000:02d}\u00a0₽"


def exact_roubles_of(micro_rub: int) -> str:
    """Return an amount to its last micro-rouble: of one request, which often costs less than a kopeck."""
    whole, rest = divmod(micro_rub, 1_000_000)
    kopecks = f"{rest:06d}"
    shown = kopecks[:2] + kopecks[2:].rstrip("0")
    return f"{number_of(whole)},{shown}\u00a0₽"


def roubles_text_of(amount: str) -> str:
    """Return an amount as the API writes it ("0.001234"), for people and to its last figure."""
    return f"{amount.replace('.', ',')}\u00a0₽"


def number_of(value: int) -> str:
    """Return a whole number for people, its thousands apart."""
    return f"{value:,}".replace(",", "\u00a0")


def milliseconds_of(value: float | None) -> str:
    """Return how long something took; ms are understood in both languages."""
    return "–" if value is None else f"{number_of(round(value))}\u00a0ms"


def percent_of(share: float) -> str:
    """Return a part of one in per cent, with one place where it is not whole."""
    text = f"{100 * share:.1f}".removesuffix(".0").replace(".", ",").replace("-", "−")
    return f"{text}\u00a0%"


def exact_percent_of(share: float) -> str:
    """Return a part of one in per cent with two places: 99.99 is not 100."""
    return f"{100 * share:.2f}".replace(".00", "").replace(".", ",") + "\u00a0%"


def _signed(value: float, text: str) -> str:
    return f"+{text}" if value > 0 else text


_ENVIRONMENT.filters.update(
    roubles=roubles_of,
    exact_roubles=exact_roubles_of,
    roubles_text=roubles_text_of,
    number=number_of,
    percent=percent_of,
    percent_exact=exact_percent_of,
    milliseconds=milliseconds_of,
    signed_roubles=lambda micro_rub: _signed(micro_rub, roubles_of(micro_rub)),
    # The API tells changes in per cent already.
    signed_percent=lambda change: _signed(change, percent_of(change / 100)),
)
