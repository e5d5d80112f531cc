"""Reads the forms of a page as a browser without JavaScript does."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Form:
    """A form: what it sends without anybody touching it, and its buttons."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    # Fields that wait for the user: text, password, unticked boxes.
    inputs: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def filled(self, **values: str | None) -> list[tuple[str, str]]:
        """Return what is sent with these values; None leaves a field out."""
        return [
            *((name, value) for name, value in self.fields if name not in values),
            *((name, value) for name, value in values.items() if value is not None),
        ]

    def value(self, name: str) -> str:
        """Return a field's value, "" when there is no such field."""
        return next((value for given, value in self.fields if given == name), "")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is not None and tag == "input":
            self._read_input(self._open, given)
        elif self._open is not None and tag == "button" and given.get("type", "submit") == "submit":
            self._open.buttons.append((given.get("name", ""), given.get("value", "")))
        elif tag == "select":
            self._select = given.get("name", "")
        elif self._open is not None and tag == "option" and self._select and "selected" in given:
            self._open.fields.append((self._select, given.get("value", "")))

    def _read_input(self, form: Form, given: dict[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "text")
        if kind in ("checkbox", "radio") and "checked" not in given:
            form.inputs.add(name)
            return
        if kind not in ("hidden", "checkbox", "radio"):
            form.inputs.add(name)
        form.fields.append((name, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""


def forms_in(html: str) -> list[Form]:
    """Return the forms of a page, in order."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms


def form_with(html: str, name: str) -> Form | None:
    """Return the first form with a field or button of this name."""
    for form in forms_in(html):
        names = {field for field, _ in form.fields} | form.inputs | {button for button, _ in form.buttons}
        if name in names:
            return form
    return None
