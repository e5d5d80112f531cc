"""Renders templates: autoescaped, in the visitor's language, with the token that forms need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from services.gateway.edge.money import roubles
from services.gateway.pages.language import LANGUAGES, TEXTS
from services.gateway.pages.numbers import Numbers, numbers_of
from services.gateway.pages.static_files import URLS

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


class Translator:
    """Texts of one language, as templates call for them."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = TEXTS[language]

    def __call__(self, name: str, /, **values: object) -> str:
        """Return the text; {names} in it are filled in. The result is escaped where it is shown."""
        text = self._texts[name]
        return text.format(**values) if values else text

    def count(self, name: str, count: int, /, **values: object) -> str:
        """Return the text in the form that its noun has beside a count, which is {count} in it."""
        numbers = numbers_of(self.language)
        text = self._texts[f"{name}.{numbers.plural(count)}"]
        return text.format(count=numbers.number(count), **values)

    def known(self, name: str, fallback: str) -> str:
        """Return the text, or `fallback` when there is none by this name."""
        return self._texts.get(name, fallback)


def render(template: str, language: str, values: Mapping[str, Any], *, time_zone: str = "") -> bytes:
    """Return a page."""
    zone = _zone(time_zone)

    def moment(when: datetime | None) -> str:
        return numbers_of(language).moment(when, zone)

    def instant(text: str | None) -> str:
        return moment(datetime.fromisoformat(text) if text else None)

    page = _ENVIRONMENT.get_template(template)
    own = {
        "t": Translator(language),
        "language": language,
        "languages": LANGUAGES,
        "static": URLS,
        "zone": zone.key,
        "moment": moment,
        "instant": instant,
    }
    return page.render({**own, **values}).encode("utf-8")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "Europe/Moscow")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _filter(write: Callable[[Numbers, Any], str]) -> Callable[..., str]:
    """Return a template's filter: how figures are written in the language of the page."""

    @pass_context
    def written(context: Context, value: Any) -> str:
        return write(numbers_of(context["language"]), value)

    return written


def _sum(numbers: Numbers, micro_rub: int) -> Markup:
    """Return an amount as people read it; to its last micro-rouble for who points at it, and for programs."""
    whole = Markup('<data value="{}" title="{}">{}</data>')
    return whole.format(roubles(micro_rub), numbers.exact_roubles(micro_rub), numbers.roubles(micro_rub))


def _heading(text: str) -> str:
    """Return what stands within sentences elsewhere as a heading: it begins with a capital."""
    return text[:1].upper() + text[1:]


def coded(text: str) -> Markup:
    """Return a text of ours as HTML: what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


_ENVIRONMENT.filters.update(
    sum_of=_filter(_sum),
    heading=_heading,
    coded=coded,
    day=_filter(Numbers.day),
    roubles=_filter(Numbers.roubles),
    fine_roubles=_filter(Numbers.fine_roubles),
    fine_roubles_text=_filter(Numbers.fine_roubles_text),
    exact_roubles=_filter(Numbers.exact_roubles),
    roubles_text=_filter(Numbers.roubles_text),
    number=_filter(Numbers.number),
    percent=_filter(Numbers.percent),
    percent_exact=_filter(Numbers.percent_exact),
    milliseconds=_filter(Numbers.milliseconds),
    signed_roubles=_filter(Numbers.signed_roubles),
    signed_percent=_filter(Numbers.signed_percent),
)
