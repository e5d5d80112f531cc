"""A question before what cannot be taken back: a page of its own, so that it works without scripts."""

from __future__ import annotations

from services.gateway.console.forms.faults import Fault
from services.gateway.console.forms.shown import form_page
from services.gateway.pages.answers import TemplatePage
from services.gateway.pages.page_context import PageContext


def confirm(page: PageContext, question: str, name: str, back: str, fault: Fault | None = None) -> TemplatePage:
    """Return the page that asks, and posts to its own address.

    Args:
        page: which one.
        question: the texts `<question>_title`, `_text` and `_submit`.
        name: of what it is about.
        back: where "no" leads, and the section of the menu.
        fault: why it could not be done.
    """
    values = {"question": question, "name": name, "back": back, "action": page.path}
    return form_page("parts/confirm.html", values, fault)
