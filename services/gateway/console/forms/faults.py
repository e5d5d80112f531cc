"""What is wrong with a form, and at which field it is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.gateway.pages.own_api import ApiRefused

# Where somebody has to prove who they are; the API speaks of their session.
PASSWORD: Final = "password"
SESSION: Final = "session_id"
_FIRST_NAME: Final = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong.

    Attributes:
        field: of the form; "": it is the form as a whole.
        text: the name of a text that says it.
        detail: what the API said, in English; "": nothing.
        status: of the page that shows it.
    """

    field: str
    text: str
    detail: str = ""
    status: int = 400


class FormRefused(Exception):
    """A form says something that is not even asked of the API."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(field, text)
        self.fault = Fault(field, text)


def fault_of(refused: ApiRefused | FormRefused, room: str, fields: Sequence[str]) -> Fault:
    """Return what is wrong with a form of these fields, in the words of a room where it has some.

    Raises:
        ApiRefused: what the form is about is not there.
    """
    if isinstance(refused, FormRefused):
        return refused.fault
    if refused.param == SESSION:
        return Fault(PASSWORD, "forms.prove", status=refused.status)
    field = field_of(refused.param)
    if field in fields:
        return Fault(field, f"{room}.fault_{field}", refused.message, refused.status)
    if refused.status == 404:
        raise refused
    return Fault("", f"refusal.{refused.code}", refused.message, refused.status)


def field_of(param: str) -> str:
    """Return the field of a form that a place in a body belongs to: "models" of "models[3]"."""
    found = _FIRST_NAME.match(param)
    return found[0] if found else ""
