"""What is looked at on a page that is shown: policy, console, axe-core, width, keyboard; and its pictures."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from tests.browser.visiting import TAGS, Visitor, axe_violations

SCHEMES: Final = ("light", "dark")
FOLDER: Final = Path("build/pages")
# A field for a date has a part for day, month, year and the calendar.
MOST_STEPS: Final = 5
# How far anything stands out of the page to the right, and the first thing that does.
WIDE: Final = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide <= 0) return '';
  const out = [...document.body.querySelectorAll('*')].find(
    each => each.getBoundingClientRect().right > document.documentElement.clientWidth && !each.closest('.scroll'));
  return wide + ' px: ' + (out ? out.outerHTML.slice(0, 160) : '?');
}"""
# What is cut off: text that is wider than its box and cannot be scrolled to.
CUT: Final = """() => [...document.querySelectorAll('main *:not(input, textarea, select)')].filter(each => {
  const style = getComputedStyle(each);
  return ['hidden', 'clip'].includes(style.overflowX) && each.scrollWidth > each.clientWidth + 1
    && each.clientWidth > 1 && style.position !== 'absolute' && each.tagName !== 'svg';
}).map(each => each.outerHTML.slice(0, 160))"""
# What stands out of the sheet or the card that it is in, though not of the page.
OUT: Final = """() => [...document.querySelectorAll('.sheet, .cards > li, .tiles > li')].flatMap(box => {
  const edge = box.getBoundingClientRect().right + 1 - parseFloat(getComputedStyle(box).paddingRight);
  return [...box.querySelectorAll(':not(svg *)')].filter(each => {
    const shape = each.getBoundingClientRect();
    return shape.width > 0 && shape.right > edge && !each.parentElement.closest('.scroll, pre')
      && each.checkVisibility({contentVisibilityAuto: true});
  });
}).map(each => each.outerHTML.slice(0, 160)).slice(0, 3)"""
# What Tab should reach, in order, but radio buttons of a group that are not chosen.
REACHABLE: Final = """() => {
  const all = document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex="-1"])');
  const shown = [...all].filter(each => !each.disabled && each.type !== 'hidden' && each.tabIndex >= 0
    && each.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}));
  shown.forEach((each, at) => each.dataset.walkAt = at);
  return shown.length;
}"""
# Where the focus is: its number, whether it is seen, and what it is.
FOCUSED: Final = """() => {
  const each = document.activeElement;
  if (!each || each === document.body) return null;
  const style = getComputedStyle(each), box = each.getBoundingClientRect();
  const marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
  const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  return [each.dataset.walkAt ?? '', marked && inside, each.outerHTML.slice(0, 160)];
}"""


@dataclass(frozen=True, slots=True)
class Look:
    """A page in a language and a size; `name` is that of its pictures."""

    visitor: Visitor
    axe: str
    language: str
    size: str
    name: str

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the page that is shown, light and dark, and take its pictures."""
        page = self.visitor.page
        page.evaluate(self.axe)
        if page.locator("html").get_attribute("lang") != self.language:
            yield "another language"
        rules: dict[str, object] = {"type": "tag", "values": TAGS}
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            self._picture(scheme)
            yield from (f"{scheme}: axe {name}: {where}" for name, where in axe_violations(page, rules))
            rules = {"type": "rule", "values": ["color-contrast"]}
        yield from self._shape()
        yield from (f"console: {text}" for text in self.visitor.troubles)
        self.visitor.troubles.clear()

    def _shape(self) -> Iterator[str]:
        if wide := self.visitor.page.evaluate(WIDE):
            yield f"scrolls sideways, {wide}"
        yield from (f"cut off: {what}" for what in self.visitor.page.evaluate(CUT))
        yield from (f"stands out: {what}" for what in self.visitor.page.evaluate(OUT))

    def _picture(self, scheme: str) -> None:
        path = FOLDER / f"{self.language}-{scheme}-{self.size}" / f"{self.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.visitor.page.screenshot(path=path, full_page=True)


def keyboard_faults(page: Page) -> Iterator[str]:
    """Yield what Tab does not reach, where focus is not seen, and where it does not leave again."""
    expected = int(page.evaluate(REACHABLE))
    page.evaluate("document.activeElement.blur()")
    steps: Counter[str] = Counter()
    for at, is_seen, what in _focused(page, MOST_STEPS * expected):
        if at not in steps and not is_seen:
            yield f"focus is not seen on {what}"
        steps[at] += 1
        if steps[at] > MOST_STEPS:
            yield f"Tab does not leave {what}"
            return
    missed = [number for number in range(expected) if str(number) not in steps]
    for number in missed[:1]:
        what = page.evaluate("at => document.querySelector(`[data-walk-at='${at}']`)?.outerHTML.slice(0, 160)", number)
        # What a script has replaced meanwhile has no number.
        if what:
            yield f"Tab reaches {expected - len(missed)} of {expected}, not {what}"


def _focused(page: Page, most: int) -> Iterator[tuple[str, bool, str]]:
    """Yield what has the focus after each Tab, until the page is left or begins anew."""
    first = last = None
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None or (focused[0] == first and last != first):
            return
        first, last = first or focused[0], focused[0]
        yield focused
