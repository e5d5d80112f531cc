"""What pages with forms show: what is wrong, what was done, the one thing that a form is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from servicekit.errors import ErrorReason, NotFound
from services.gateway.console.forms.faults import Fault
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import TemplatePage
from services.gateway.pages.page_context import PageContext


def form_page(template: str, values: Mapping[str, Any], fault: Fault | None = None) -> TemplatePage:
    """Return the page of a form; its template is told as `fault` what is wrong, and the status says it too."""
    return TemplatePage(template, {**values, "fault": fault}, fault.status if fault else 200)


def done_of(page: PageContext, room: str, known: Collection[str]) -> str:
    """Return the name of the text that says what was done just now, as the address has it; "" for nothing known."""
    done = first(page.query, "done")
    return f"{room}.done_{done}" if done in known else ""


def one_of(things: Iterable[Any], wanted: str, noun: str, *, name: str = "id") -> Any:
    """Return the one of a list that the API calls so: of these it has no address of its own.

    Raises:
        NotFound: there is none.
    """
    for thing in things:
        if thing[name] == wanted:
            return thing
    raise NotFound(ErrorReason.NOT_FOUND, f"There is no such {noun}.")
