"""A secret that is shown once: it goes to the next page in a cookie of minutes, sealed, and is gone when it was shown.

So a page that was reloaded makes nothing a second time, and neither addresses nor logs have seen the secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.clock import Clock
from services.gateway.console.sealed import LIFE_S, seal, unseal
from services.gateway.pages.answers import TemplatePage
from services.gateway.pages.page_context import PageContext

COOKIE: Final = "once"


@dataclass(frozen=True, slots=True)
class ShownOnce:
    """Secrets of one kind. `room`: whose texts say what it is; `back`: where people go on."""

    clock: Clock
    room: str
    back: str

    def keep(self, page: PageContext, secret: str, name: str) -> None:
        """Have the next page show a secret of something that has a name."""
        sealed = seal(page.browser, [self.room, secret, name], self.clock.now())
        page.set_cookies.append(page.jar.write(COOKIE, sealed, max_age_s=LIFE_S))

    async def show(self, page: PageContext) -> TemplatePage:
        """Show it, or that it was shown; with a button that copies, where scripts run."""
        sealed = page.jar.read(page.scope["headers"], COOKIE)
        kept = unseal(page.browser, sealed, self.clock.now()) if sealed else None
        secret, name = (kept[1], kept[2]) if kept is not None and kept[0] == self.room else ("", "")
        if sealed:
            page.set_cookies.append(page.jar.write(COOKIE, ""))
        values = {"secret": secret, "name": name, "room": self.room, "back": self.back}
        return TemplatePage("parts/once.html", values, scripted=True)
