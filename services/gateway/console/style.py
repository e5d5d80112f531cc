"""/console/style: each component of the pages in each of its states, and the tokens that they are made of.

For whoever makes or reviews pages; not in production, like the description of the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from servicekit.charts.chart import Chart, Series, Shape
from servicekit.charts.svg import COLOURS, draw
from services.gateway.console.forms.draft import draft_of
from services.gateway.console.forms.faults import Fault
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.language import TEXTS
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.numbers import numbers_of
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages
from services.gateway.pages.static_files import FOLDER

PATH: Final = f"{CONSOLE}/style"
_TOKEN: Final = re.compile(r"--([a-z0-9-]+): ([^;]+);")
_ROOT: Final = re.compile(r":root \{(.*?)\}", re.DOTALL)
# Kinds of tokens by how their names begin; every other one is a colour.
_KINDS: Final = {
    "space": "space",
    "text": "type",
    "round": "corner",
    "touch": "size",
    "page": "size",
    "measure": "size",
}
_NO_KIND: Final = ("shadow", "sans", "mono")
_PIXELS: Final = {"rem": 16.0, "px": 1.0}
# One of each standing, as the API tells budgets.
STANDINGS: Final = (("ok", 40), ("near", 85), ("reached", 100))
STATES: Final = ("operational", "degraded", "down", "unknown")
DAYS: Final = ("01.11", "02.11", "03.11", "04.11", "05.11", "06.11", "07.11")


@dataclass(frozen=True, slots=True)
class Token:
    """A token. `size`: in pixels, 0.0 for a colour."""

    name: str
    value: str
    kind: str
    size: float = 0.0


def tokens_in(sheet: str) -> Iterator[Token]:
    """Yield the tokens of a style sheet, as its first `:root` has them."""
    root = _ROOT.search(sheet)
    for name, value in _TOKEN.findall(root[1] if root else ""):
        first = name.partition("-")[0]
        if first not in _NO_KIND:
            kind = _KINDS.get(first, "colour")
            yield Token(name, value, kind, 0.0 if kind == "colour" else _pixels(value))


def _pixels(value: str) -> float:
    unit = next(unit for unit in _PIXELS if value.endswith(unit))
    return float(value.removesuffix(unit)) * _PIXELS[unit]


TOKENS: Final = tuple(tokens_in((FOLDER / "tokens.css").read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class StylePage:
    """The page."""

    shared: PageDependencies

    def all(self) -> list[Endpoint]:
        """Return it."""
        return member_pages(self.shared, [(PATH, self.show, None)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Show everything once. Nothing here asks or changes anything."""
        texts = TEXTS[page.language]
        values = {
            "tokens": TOKENS,
            "kinds": tuple(dict.fromkeys(token.kind for token in TOKENS)),
            "charts": [_chart(page.language, shape, texts) for shape in Shape],
            "colours": len(COLOURS),
            "standings": STANDINGS,
            "states": STATES,
            "draft": draft_of(filled=texts["style.sample"], refused="-1", choice="b", ticked=["a"]),
        }
        return TemplatePage("style.html", {**values, "fault": Fault("refused", "style.fault")})


def _chart(language: str, shape: Shape, texts: Mapping[str, str]) -> dict[str, object]:
    """Return a chart of this shape as it is drawn, with a day that nobody knows."""
    series = [
        Series(
            f"{texts['style.series']} {number}",
            [None if day == number else (day + number) * 7 % 11 for day in range(7)],
        )
        for number in (1, 2, 3)
    ]
    title = texts[f"style.chart_{shape}"]
    chart = Chart(title, DAYS, series, lambda value: numbers_of(language).number(round(value)), shape)
    return {"title": title, "series": [each.name for each in series], "drawn": draw(chart)}
