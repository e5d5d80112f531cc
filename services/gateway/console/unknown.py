"""What a browser reads where no page is: an old bookmark, or an address that was typed wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.errors import ErrorReason, NotFound
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.answers import PageAnswer
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint

BELOW: Final = f"{CONSOLE}/{{path:path}}"


@dataclass(frozen=True, slots=True)
class UnknownPages:
    """Every path below the console's that no other page has."""

    shared: PageDependencies

    def all(self) -> list[Endpoint]:
        """Return the page; it comes after all others, and takes no form."""
        return [page_endpoint(BELOW, self.shared, self.show)]

    async def show(self, page: PageContext) -> PageAnswer:
        """Say that there is nothing, as a page."""
        raise NotFound(ErrorReason.NOT_FOUND, f"There is no page at {page.path}.")
