"""What a person asks in the playground: a form of texts, and the bodies of the API that it stands for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.clients.oauth_views import Params
from services.gateway.edge.reading.params import every, first
from services.gateway.pages.forms import order_name

MOST_MODELS: Final = 2
# Levels of JSON that no honest description of a tool has.
DEEPEST: Final = 48
# Of the texts that say what is wrong with a field.
NO_MESSAGE: Final = "playground.no_message"
NO_MODEL: Final = "playground.no_model"
NO_NUMBER: Final = "playground.no_number"
NO_TOOLS: Final = "playground.no_tools"


class FieldFault(Exception):
    """A field cannot be read: `text` says why, with `values` filled in."""

    def __init__(self, field: str, text: str, **values: object) -> None:
        super().__init__(field)
        self.field = field
        self.text = text
        self.values = values


@dataclass(frozen=True, slots=True)
class Question:
    """The fields as they were filled in; those that are empty are left to the API."""

    models: tuple[str, ...]
    message: str
    system: str = ""
    temperature: str = ""
    max_tokens: str = ""
    tools: str = ""
    streams: bool = True

    def bodies(self) -> list[dict[str, Any]]:
        """Return what each model is asked.

        Raises:
            FieldFault: a field cannot be read.
        """
        if not self.models:
            raise FieldFault("model", NO_MODEL)
        shared = {"messages": self._messages(), **self._parameters()}
        return [{"model": model, **shared} for model in self.models]

    def _messages(self) -> list[dict[str, str]]:
        if not self.message.strip():
            raise FieldFault("message", NO_MESSAGE)
        system = [{"role": "system", "content": self.system}] if self.system.strip() else []
        return [*system, {"role": "user", "content": self.message}]

    def _parameters(self) -> dict[str, Any]:
        given = {
            "temperature": _number("temperature", self.temperature),
            "max_tokens": _whole("max_tokens", self.max_tokens),
            "tools": _tools(self.tools),
        }
        return {name: value for name, value in given.items() if value is not None}


def question_in(form: Params) -> Question:
    """Return the question of a form."""
    return Question(
        models=every(form, "model")[:MOST_MODELS],
        # Browsers send line ends as CR LF.
        message=first(form, "message").replace("\r\n", "\n"),
        system=first(form, "system").replace("\r\n", "\n"),
        temperature=first(form, "temperature").strip(),
        max_tokens=first(form, "max_tokens").strip(),
        tools=first(form, "tools").strip(),
        streams=bool(first(form, "stream")),
    )


def once_name(form_name: str, at: int, body: dict[str, Any]) -> str:
    """Return what names one question of a form that was shown once: sent twice it is the same one, changed another."""
    return order_name(form_name, f"{at}\n{json.dumps(body)}")


def streamed(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body that asks for the answer as it is made, with its usage at the end."""
    return {**body, "stream": True, "stream_options": {"include_usage": True}}


def _number(field: str, text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FieldFault(field, NO_NUMBER)
    return number


def _whole(field: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise FieldFault(field, NO_NUMBER)
    return int(text)


def _tools(text: str) -> list[Any] | None:
    if not text:
        return None
    try:
        tools = json.loads(text, parse_constant=_no_number)
        # Half of a pair of surrogates is JSON, and no text; 1e999 is a number of JSON, and of nothing else.
        json.dumps(tools, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as exc:
        raise FieldFault("tools", NO_TOOLS, line=exc.lineno, column=exc.colno) from exc
    except (ValueError, RecursionError) as exc:
        raise FieldFault("tools", NO_TOOLS, line=1, column=1) from exc
    if not isinstance(tools, list) or _is_deep(tools):
        raise FieldFault("tools", NO_TOOLS, line=1, column=1)
    return tools or None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [item for each in level for item in _items(each)]
        if not level:
            return False
    return True


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
