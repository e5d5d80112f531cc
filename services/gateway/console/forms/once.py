"""A secret that is shown once: it goes to the next page in a cookie of minutes, sealed, and is gone when it was shown.

So a page that was reloaded makes nothing a second time, and neither addresses nor logs have seen the secret. Of a form
that was sent twice the API has the same answer again: its secret is shown by the page that is still there, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import Final

from servicekit.clock import Clock
from services.gateway.console.sealed import LIFE_S, seal, unseal
from services.gateway.edge.reading.params import first
from services.gateway.pages import forms
from services.gateway.pages.answers import TemplatePage
from services.gateway.pages.page_context import PageContext

COOKIE: Final = "once"
# Which form's secret this browser has seen.
SHOWN: Final = "shown"
# As what a secret is sealed.
_SECRET: Final = b"shown once"


@dataclass(frozen=True, slots=True)
class ShownOnce:
    """Secrets of one kind.

    Attributes:
        clock: tells when they were made.
        room: whose texts say what it is.
        back: where people go on.
        known_s: seconds for which a browser knows that it has seen one: as long as the API gives its answer again.
    """

    clock: Clock
    room: str
    back: str
    known_s: float

    def keep(self, page: PageContext, secret: str, name: str) -> None:
        """Have the next page show a secret of something that has a name, unless it was shown for this form."""
        form = _name_of_form(page)
        if form and form == page.jar.read(page.scope["headers"], SHOWN):
            return
        sealed = seal(page.browser, _SECRET, [self.room, secret, name, form], self.clock.now())
        page.set_cookies.append(page.jar.write(COOKIE, sealed, max_age_s=LIFE_S))

    async def show(self, page: PageContext) -> TemplatePage:
        """Show it, or that it was shown; with a button that copies, where scripts run."""
        sealed = page.jar.read(page.scope["headers"], COOKIE)
        kept = unseal(page.browser, _SECRET, sealed, self.clock.now()) if sealed else None
        secret, name, form = kept[1:] if kept is not None and kept[0] == self.room else ("", "", "")
        if sealed:
            page.set_cookies.append(page.jar.write(COOKIE, ""))
        if form:
            page.set_cookies.append(page.jar.write(SHOWN, form, max_age_s=ceil(self.known_s)))
        values = {"secret": secret, "name": name, "room": self.room, "back": self.back}
        return TemplatePage("parts/once.html", values, scripted=True)


def _name_of_form(page: PageContext) -> str:
    token = first(page.form, forms.ONCE)
    return sha256(token.encode()).hexdigest() if token else ""
